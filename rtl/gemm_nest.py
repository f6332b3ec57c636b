"""Linear layers to passes: panel group, token block, panel, contraction tile."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.layout.blocks import FIRST_PAIRS
from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.rtl.blocks import BlockSize
from m3vit.rtl.passes import (
    BLOCK_BITS,
    NUMBER_BITS,
    PAIR_BITS,
    RING_BITS,
    GemmJob,
    Pass,
    Post,
    Tile,
    Wait,
)
from m3vit.rtl.progress import Early

_WORD_UNITS = 16
"""Operand channels / 8 behind which the row advances: four banks of 32 channels."""

Panel = data.StructLayout({"address": RING_BITS, "column": 7, "third": 2, "inside": 8})
"""Where the next panel lies and where it goes; ``inside`` counts in its third."""


class GemmNest(Component):
    """Turns a job into passes, one a cycle at most; rtl/DESIGN.md section 6.

    ``number`` is the number of the next pass that ends an accumulation, counted by whoever takes
    the passes.  ``early``: blocks of the layer before that are complete earlier than it.
    ``idle``: the last job has left completely.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.parameter_words = CASCADE // machine.chains
        self.units, self.panel_units = machine.rows // 8, machine.panel // 8
        super().__init__(
            {
                "job": In(stream.Signature(GemmJob)),
                "passes": Out(stream.Signature(Pass)),
                "number": In(NUMBER_BITS),
                "early": In(Early),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Counters of the four loops; a pass is made of them and moves them on."""
        m = Module()
        self._declare(m)
        rests = ~self.busy & ~self.pending
        m.d.comb += [self.job.ready.eq(rests), self.idle.eq(rests)]
        m.d.sync += self.pending.eq(self.job.valid & self.job.ready)
        with m.If(self.job.ready):
            m.d.sync += self.taken.eq(self.job.payload)
            m.d.sync += Value.cast(self.ready_early).eq(Value.cast(self.early))
        m.d.comb += self.passes.valid.eq(self.busy & self.known)
        self._limit(m)
        with m.If(self.pending):
            self._start(m)
        with m.Elif(self.passes.ready & self.passes.valid):
            self._advance(m)
        with m.Elif(self.busy & ~self.measured):
            self._measure(m)
        with m.Elif(self.busy):
            m.d.sync += self.known.eq(1)
        self._describe(m)
        return m

    def _declare(self, m: Module) -> None:
        self.busy, self.opening = Signal(), Signal()
        self.pending = Signal()
        self.taken: Any = Signal(GemmJob)
        """The next job for a cycle: what it follows is read from the one ``held``."""
        self.held: Any = Signal(GemmJob)
        self.step, self.channel, self.row = Signal(7), Signal(7), Signal(13)
        self.panel: Any = Signal(Panel)
        self.group: Any = Signal(Panel)
        self.panels_left, self.group_size, self.index = Signal(8), Signal(8), Signal(8)
        self.first_pair, self.pairs = Signal(PAIR_BITS), Signal(PAIR_BITS)
        self.tile = Signal(RING_BITS)
        self.before, self.blocks = Signal(NUMBER_BITS), Signal(NUMBER_BITS)
        self.follows, self.room = Signal(NUMBER_BITS), Signal(8)
        self.follow_step = Signal(NUMBER_BITS)
        self.follow_start, self.follow_block = Signal(NUMBER_BITS), Signal(NUMBER_BITS)
        self.limit = Signal(BLOCK_BITS)
        self.ready_early: Any = Signal(Early)
        m.submodules.block = self.block = BlockSize()
        m.d.comb += [
            self.block.left.eq(self.pairs - self.first_pair),
            self.block.limit.eq(self.limit),
        ]
        self.last_step, self.last_panel = Signal(), Signal()
        self.last_block, self.last_group = Signal(), Signal()
        self.known, self.size, self.end = Signal(), Signal(BLOCK_BITS), Signal(PAIR_BITS)
        self.measured, self.final_panel = Signal(), Signal(8)
        self.final_step, self.final_third = Signal(7), Signal(8)
        self.until, self.earliest = Signal(PAIR_BITS + 1), Signal(NUMBER_BITS)
        m.d.comb += [
            self.last_step.eq(self.step == self.final_step),
            self.last_panel.eq(self.index == self.final_panel),
            self.last_group.eq(self.group_size == self.panels_left),
        ]

    def _measure(self, m: Module) -> None:
        """How long the block and how large the panel group is, two cycles before their first
        pass.
        """
        left, limit = self.panels_left, self.held.panels_group
        size = Mux(limit < left, limit, left)
        m.d.sync += [
            self.measured.eq(1),
            self.group_size.eq(size),
            self.final_panel.eq(size - 1),
            self.size.eq(self.block.size),
            self.end.eq(self.first_pair + self.block.size),
            self.last_block.eq(self.block.left <= self.block.limit),
        ]

    def _limit(self, m: Module) -> None:
        """What the block's passes wait for, in registers: known a cycle after its end."""
        job, end = self.held, self.end << 1
        early = self.end <= self.ready_early.pairs
        m.d.sync += [
            self.until.eq(Mux(end > job.tokens, job.tokens, end)),
            self.earliest.eq(Mux(early, self.ready_early.number, self.before)),
        ]

    def _start(self, m: Module) -> None:
        job = self.taken
        first = {"address": job.address, "column": Mux(job.thirds != 0, 0, job.column)}
        m.d.sync += [
            self.busy.eq(1),
            self.known.eq(0),
            self.measured.eq(0),
            self.final_step.eq(job.steps - 1),
            self.final_third.eq(job.thirds - 1),
            self.opening.eq(1),
            self.held.eq(job),
            self.panels_left.eq(job.panels),
            self.pairs.eq((job.tokens + 1) >> 1),
            self.first_pair.eq(0),
            self.tile.eq(job.address),
            self.before.eq(self.number - 1),
            self.blocks.eq(0),
        ]
        self._restart_limit(m, job)
        for panel in (self.panel, self.group):
            m.d.sync += [panel.third.eq(0), panel.inside.eq(0)]
            m.d.sync += [getattr(panel, name).eq(value) for name, value in first.items()]
        m.d.sync += self.index.eq(0)
        self._follow(m)

    def _follow(self, m: Module) -> None:
        """What the layer before wrote.  With its panels outside, the first panel is complete with
        its last block; with its blocks outside, panels of the same block follow one another.
        """
        panels = Mux(self.held.panels_group == 1, 0, self.held.panels)
        start = self.before + Mux(panels == 0, self.blocks, 1)
        m.d.sync += [
            self.follow_start.eq(start),
            self.follow_step.eq(Mux(panels == 0, self.blocks, 1)),
            self.follow_block.eq(panels),
        ]
        self._restart_steps(m, start)

    def _restart_limit(self, m: Module, job: Any) -> None:
        """Small blocks first: their tokens are ready early, and complete early."""
        ramps = job.ramp & (job.block_pairs > FIRST_PAIRS)
        m.d.sync += self.limit.eq(Mux(ramps, FIRST_PAIRS, job.block_pairs))

    def _restart_steps(self, m: Module, follows: Any) -> None:
        m.d.sync += [
            self.step.eq(0),
            self.channel.eq(0),
            self.row.eq(0),
            self.follows.eq(follows),
            self.room.eq(self.panel_units - self.units),
        ]

    def _advance(self, m: Module) -> None:
        following = Signal(RING_BITS)
        words = Mux(self.step == 0, CASCADE + self.parameter_words, CASCADE)
        m.d.comb += following.eq(self.tile + words)
        m.d.sync += [self.tile.eq(following), self.opening.eq(0)]
        with m.If(~self.last_step):
            self._next_step(m)
        with m.Else():
            self._next_panel(m, following)

    def _next_step(self, m: Module) -> None:
        unit = self.channel + self.units
        m.d.sync += [self.step.eq(self.step + 1), self.channel.eq(unit)]
        with m.If((unit & (_WORD_UNITS - 1)) == 0):
            m.d.sync += self.row.eq(self.row + self.held.row_step)
        with m.If(self.room < self.units):
            m.d.sync += [
                self.room.eq(self.room + (self.panel_units - self.units)),
                self.follows.eq(self.follows + self.follow_step),
            ]
        with m.Else():
            m.d.sync += self.room.eq(self.room - self.units)

    def _next_panel(self, m: Module, following: Signal) -> None:
        after: Any = Signal(Panel)
        wraps = (self.held.thirds != 0) & (self.panel.inside == self.final_third)
        start = Mux(self.panel.third == 1, self.held.column, 0)  # the third to come is Q
        m.d.comb += [
            after.address.eq(following),
            after.third.eq(self.panel.third + wraps),
            after.inside.eq(Mux(wraps, 0, self.panel.inside + 1)),
            after.column.eq(Mux(wraps, start, self.panel.column + self.held.column_step)),
        ]
        with m.If(~self.last_panel):
            m.d.sync += [self.index.eq(self.index + 1), self.panel.eq(after)]
            self._restart_steps(m, self.follow_start)
        with m.Else():
            m.d.sync += self.index.eq(0)
            self._next_block(m, after)

    def _next_block(self, m: Module, after: Any) -> None:
        m.d.sync += [self.known.eq(0), self.measured.eq(0)]
        with m.If(self.last_group):
            m.d.sync += self.blocks.eq(self.blocks + 1)
        follows = self.follow_start + self.follow_block
        self._restart_steps(m, Mux(self.last_block, self.follow_start, follows))
        with m.If(~self.last_block):
            double = Signal(BLOCK_BITS + 1)
            m.d.comb += double.eq(self.limit << 1)
            m.d.sync += [
                self.follow_start.eq(follows),
                self.limit.eq(Mux(double > self.held.block_pairs, self.held.block_pairs, double)),
                self.first_pair.eq(self.end),
                self.panel.eq(self.group),
                self.tile.eq(self.group.address),
            ]
        with m.Else():
            self._restart_limit(m, self.held)
            m.d.sync += [
                self.first_pair.eq(0),
                self.panel.eq(after),
                self.group.eq(after),
                self.panels_left.eq(self.panels_left - self.group_size),
                self.busy.eq(~self.last_group),
            ]

    def _describe(self, m: Module) -> None:
        p, job = self.passes.payload, self.held
        same = "tokens first_token source gather buffer weighted guard group_step limit".split()
        m.d.comb += [getattr(p, name).eq(getattr(job, name)) for name in same]
        final = self.last_step & self.last_panel & self.last_group
        m.d.comb += [
            p.pairs.eq(self.size),
            p.first_pair.eq(self.first_pair),
            p.channel.eq(self.channel),
            p.row.eq(self.row),
            p.tile.eq(Tile.RING),
            p.address.eq(self.tile),
            p.parameters.eq(self.step == 0),
            p.release.eq(self.last_block),
            p.skip.eq(self.opening & job.skip),
            p.first.eq(self.step == 0),
            p.last.eq(self.last_step),
            p.post.eq(job.post),
            p.shift.eq(job.shift),
            p.column.eq(self.panel.column),
            p.number.eq(self.number),
            p.publish.eq(final & (job.publish | (job.publish_all & self.last_block))),
            p.wait.eq(Mux(self.step == 0, job.wait, Wait.NOTHING)),
            p.wait_for.eq(self.earliest),
        ]
        with m.If(job.follow):
            m.d.comb += [p.wait.eq(Wait.RETIRED), p.wait_for.eq(self.follows)]
        with m.Elif(job.wait == Wait.TOKENS):
            m.d.comb += p.wait_for.eq(self.until)
        with m.If(job.thirds != 0):
            self._describe_third(m)

    def _describe_third(self, m: Module) -> None:
        p, job = self.passes.payload, self.held
        with m.Switch(self.panel.third):
            with m.Case(0):
                m.d.comb += p.post.eq(Post.VALUE)
            with m.Case(1):
                m.d.comb += [p.post.eq(Post.KEY), p.shift.eq(job.shift_key)]
            with m.Default():
                last = self.last_step & (self.panel.inside == self.final_third)
                m.d.comb += [p.post.eq(Post.HIDDEN), p.shift.eq(job.shift_query)]
                m.d.comb += p.publish.eq(last)
