"""Attention of the heads in flight to passes: QK(i+1) in front of A.V(i)."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.blocks import BlockSize
from m3vit.rtl.passes import (
    BLOCK_BITS,
    NUMBER_BITS,
    PAIR_BITS,
    RING_BITS,
    AttentionJob,
    Pass,
    Post,
    QueryLoad,
    Source,
    Tile,
    Wait,
)
from m3vit.rtl.progress import Early

Block = data.StructLayout(
    {"pairs": BLOCK_BITS, "first_pair": PAIR_BITS, "half": 1, "scored": NUMBER_BITS, "final": 1}
)
"""A block of queries; ``scored``: number of its last score pass; ``final``: the job's last."""


class State(enum.Enum, shape=2):
    """What is emitted."""

    IDLE = 0
    MEASURE = 1
    """How long the next block is."""
    SCORES = 2
    VALUES = 3


class AttentionNest(Component):
    """Turns a job into query loads and passes, one a cycle at most; rtl/DESIGN.md section 6.

    ``number``: of the next pass that ends an accumulation with a result; score passes are counted
    here, from 1 at reset.  ``keys``: number of the last result that makes K; ``early``: what can
    be read before all of Q is there.  Loads run ahead of the passes as far as the query block
    takes them.  ``idle``: the last job has left completely.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.keys_a_tile, self.values_a_tile = machine.columns, machine.rows
        self.keys_a_word = max(machine.columns, machine.rows)
        super().__init__(
            {
                "job": In(stream.Signature(AttentionJob)),
                "passes": Out(stream.Signature(Pass)),
                "loads": Out(stream.Signature(QueryLoad)),
                "number": In(NUMBER_BITS),
                "keys": In(NUMBER_BITS),
                "early": In(Early),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A state for each kind of output and the counters of its loops."""
        m = Module()
        self._declare(m)
        m.d.comb += [
            self.idle.eq((self.state == State.IDLE) & (self.unloaded == 0)),
            self.job.ready.eq(self.idle),
            self.passes.valid.eq((self.state == State.SCORES) | (self.state == State.VALUES)),
        ]
        with m.Switch(self.state):
            with m.Case(State.IDLE):
                with m.If(self.job.valid):
                    self._start(m)
            with m.Case(State.MEASURE):
                self._measure(m)
            with m.Case(State.SCORES):
                self._scores(m)
            with m.Case(State.VALUES):
                self._values(m)
        self._load(m)
        return m

    def _declare(self, m: Module) -> None:
        self.state = Signal(State)
        self.held: Any = Signal(AttentionJob)
        self.ahead: Any = Signal(Block)
        self.here: Any = Signal(Block)
        self.waiting = Signal()  # block ``here`` has scores
        self.left, self.before = Signal(PAIR_BITS), Signal(NUMBER_BITS)
        self.scored, self.made = Signal(NUMBER_BITS), Signal(NUMBER_BITS)
        self.unloaded, self.load_pair = Signal(PAIR_BITS), Signal(PAIR_BITS)
        self.load_half, self.measured = Signal(), Signal()
        self.ready_early: Any = Signal(Early)
        self.tile, self.step = Signal(8), Signal(4)
        self.address, self.row, self.part = Signal(RING_BITS), Signal(13), Signal(2)
        m.submodules.block = self.block = BlockSize()
        m.submodules.load_block = self.load_block = BlockSize()
        for block, left in ((self.block, self.left), (self.load_block, self.unloaded)):
            m.d.comb += [block.left.eq(left), block.limit.eq(self.held.block_pairs)]

    def _start(self, m: Module) -> None:
        job = self.job.payload
        pairs = (job.tokens + 1) >> 1
        m.d.sync += [
            self.held.eq(job),
            self.left.eq(pairs),
            self.unloaded.eq(pairs),
            self.before.eq(self.number - 1),
            self.made.eq(self.keys),
            Value.cast(self.ready_early).eq(Value.cast(self.early)),
            self.ahead.first_pair.eq(0),
            self.ahead.half.eq(0),
            self.load_pair.eq(0),
            self.load_half.eq(0),
            self.waiting.eq(0),
            self.state.eq(State.MEASURE),
        ]

    def _measure(self, m: Module) -> None:
        """In two cycles: the length, then what is left behind it."""
        m.d.sync += [self.ahead.pairs.eq(self.block.size), self.measured.eq(~self.measured)]
        with m.If(self.measured):
            m.d.sync += [
                self.left.eq(self.left - self.ahead.pairs),
                self.state.eq(State.SCORES),
            ]
            self._restart(m)

    def _load(self, m: Module) -> None:
        """The queries of block after block, as soon as a half of the query block is free."""
        q, job = self.loads.payload, self.held
        known, size, end = Signal(), Signal(BLOCK_BITS), Signal(PAIR_BITS + 1)
        early = end <= self.ready_early.pairs
        m.d.comb += [
            self.loads.valid.eq(known),
            q.pairs.eq(size),
            q.first_pair.eq(self.load_pair),
            q.half.eq(self.load_half),
            q.column.eq(job.column),
            q.group_step.eq(job.group_step),
            q.steps.eq(job.query_steps),
            q.units.eq(job.units),
            q.wait_for.eq(Mux(early, self.ready_early.number, self.before)),
        ]
        with m.If(~known):
            m.d.sync += [
                size.eq(self.load_block.size),
                end.eq(self.load_pair + self.load_block.size),
                known.eq(self.unloaded != 0),
            ]
        with m.Elif(self.loads.ready):
            m.d.sync += [
                known.eq(0),
                self.unloaded.eq(self.unloaded - size),
                self.load_pair.eq(end),
                self.load_half.eq(~self.load_half),
            ]

    def _restart(self, m: Module) -> None:
        names = (self.tile, self.step, self.address, self.row, self.part)
        m.d.sync += [name.eq(0) for name in names]

    def _common(self, m: Module, block: Any) -> None:
        p = self.passes.payload
        m.d.comb += [
            p.pairs.eq(block.pairs),
            p.first_pair.eq(block.first_pair),
            p.tokens.eq(self.held.tokens),
            p.channel.eq(self.step),
            p.row.eq(self.row),
            p.address.eq(self.address),
            p.key.eq(self.tile),
            p.half.eq(block.half),
            p.group_step.eq(self.held.group_step),
            p.limit.eq(self.held.limit),
        ]

    def _next_word(self, m: Module, keys: int, pairs: Any) -> None:
        """The tile to come may lie in the next word of the score store."""
        parts = self.keys_a_word // keys
        with m.If(self.part == parts - 1):
            m.d.sync += [self.part.eq(0), self.row.eq(self.row + pairs)]
        with m.Else():
            m.d.sync += self.part.eq(self.part + 1)

    def _scores(self, m: Module) -> None:
        p, job = self.passes.payload, self.held
        opening = (self.tile == 0) & (self.step == 0)
        last_step, last_tile = self.step == job.query_steps - 1, self.tile == job.key_tiles - 1
        self._common(m, self.ahead)
        m.d.comb += [
            p.source.eq(Source.QUERY),
            p.tile.eq(Tile.KEY),
            p.first.eq(self.step == 0),
            p.last.eq(last_step),
            p.post.eq(Post.SCORE),
            p.wait.eq(Mux(opening, Wait.RETIRED, Wait.NOTHING)),
            p.wait_for.eq(self.made),
            p.wait_query.eq(opening),
            p.number.eq(self.scored + 1),
            p.end.eq(last_step & last_tile),
        ]
        with m.If(self.passes.ready):
            m.d.sync += [self.step.eq(self.step + 1), self.address.eq(self.address + 1)]
            with m.If(last_step):
                m.d.sync += [self.step.eq(0), self.tile.eq(self.tile + 1)]
                m.d.sync += self.scored.eq(self.scored + 1)
                self._next_word(m, self.keys_a_tile, self.ahead.pairs)
                with m.If(last_tile):
                    self._end_scores(m)

    def _end_scores(self, m: Module) -> None:
        """The first block's scores are followed by the second's, if there is one."""
        self._restart(m)
        m.d.sync += self.waiting.eq(1)
        with m.If(self.waiting):
            m.d.sync += self.state.eq(State.VALUES)
        with m.Else():
            self._take_scores(m)

    def _take_scores(self, m: Module) -> None:
        """The block ahead becomes the one here."""
        m.d.sync += [
            self.here.eq(self.ahead),
            self.here.final.eq(self.left == 0),
            self.here.scored.eq(self.scored + (self.state == State.SCORES)),
            self.ahead.first_pair.eq(self.ahead.first_pair + self.ahead.pairs),
            self.ahead.half.eq(~self.ahead.half),
            self.state.eq(Mux(self.left == 0, State.VALUES, State.MEASURE)),
        ]

    def _values(self, m: Module) -> None:
        p, job = self.passes.payload, self.held
        last_tile = self.tile == job.value_tiles - 1
        last_column = self.step == job.value_columns - 1
        self._common(m, self.here)
        m.d.comb += [
            p.source.eq(Source.PROBABILITY),
            p.tile.eq(Tile.VALUE),
            p.first.eq(self.tile == 0),
            p.last.eq(last_tile),
            p.post.eq(Post.OUTPUT),
            p.column.eq(job.column + self.step),
            p.wait.eq(Mux((self.tile == 0) & (self.step == 0), Wait.SCORED, Wait.NOTHING)),
            p.wait_for.eq(self.here.scored),
            p.number.eq(self.number),
            p.publish.eq(last_tile & last_column),
        ]
        with m.If(self.passes.ready):
            m.d.sync += [
                self.tile.eq(self.tile + 1),
                self.address.eq(self.address + job.value_columns),
            ]
            self._next_word(m, self.values_a_tile, self.here.pairs)
            with m.If(last_tile):
                m.d.sync += [name.eq(Const(0)) for name in (self.tile, self.row, self.part)]
                m.d.sync += [self.step.eq(self.step + 1), self.address.eq(self.step + 1)]
                with m.If(last_column):
                    self._end_values(m)

    def _end_values(self, m: Module) -> None:
        """On to the block whose scores are done, if there is one."""
        self._restart(m)
        with m.If(self.here.final):
            m.d.sync += self.state.eq(State.IDLE)
        with m.Else():
            self._take_scores(m)
