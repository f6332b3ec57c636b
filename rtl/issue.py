"""Issue: a pass starts when all it needs is there; then a pair a cycle."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.rtl.control import COPIED, SLOT_BITS, Control
from m3vit.rtl.parameters import BANK_BITS
from m3vit.rtl.passes import (
    NUMBER_BITS,
    PAIR_BITS,
    RING_BITS,
    TOKEN_BITS,
    Pass,
    Post,
    Wait,
)
from m3vit.rtl.waits import Cause

SLOTS = CASCADE
"""Shortest pass: the swap's wave and the load steps behind it."""


class Issue(Component):
    """Ports: ``passes``; ``loaded`` and ``bank`` of the loader; counters ``retired``, ``scored``,
    ``tokens``; ``query_loaded`` by half, freed with ``query_free``; ``left``: a result has left
    the FIFO of ``results`` places.  ``control`` shows a slot a cycle (its ``swap`` tells the
    loader); ``release`` with ``release_to`` gives ring words back.  ``cause``: what the cycle
    before was used for (``starved``: the loader's tile is not in the ring); ``full``: it had a
    pass whose results had no room.

    A pass starts in the cycle after the last slot of the one in front of it if it was ready a
    cycle before.
    """

    def __init__(self, machine: MachineConfig, results: int) -> None:
        self.results, self.words = results, CASCADE // machine.chains
        super().__init__(
            {
                "passes": In(stream.Signature(Pass)),
                "loaded": In(1),
                "starved": In(1),
                "bank": In(BANK_BITS),
                "retired": In(NUMBER_BITS),
                "scored": In(NUMBER_BITS),
                "tokens": In(TOKEN_BITS),
                "query_loaded": In(2),
                "query_free": Out(2),
                "left": In(1),
                "control": Out(Control),
                "release": Out(1),
                "release_to": Out(RING_BITS),
                "idle": Out(1),
                "cause": Out(Cause),
                "full": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Readiness of the next pass, and the slots of this one."""
        m = Module()
        self.active, self.held = Signal(), Signal(Pass)
        self.slot = Signal(SLOT_BITS)
        held: Any = self.held
        self.last_slot, self.start = Signal(), Signal()
        length = Mux(held.pairs < SLOTS, SLOTS, held.pairs)
        m.d.comb += self.last_slot.eq(self.slot == length - 1)
        self._ready(m)
        m.d.comb += [
            self.start.eq(self.ready & self.loaded & (~self.active | self.last_slot)),
            self.passes.ready.eq(self.start),
            self.idle.eq(~self.active & ~self.passes.valid),
        ]
        with m.If(self.start):
            m.d.sync += [self.active.eq(1), self.slot.eq(0), self.held.eq(self.passes.payload)]
        with m.Elif(self.last_slot):
            m.d.sync += self.active.eq(0)
        with m.Else():
            m.d.sync += self.slot.eq(self.slot + 1)
        self._emit(m)
        self._explain(m)
        return m

    def _ready(self, m: Module) -> None:
        """Conditions only turn true while a pass waits: they may be a cycle old."""
        p: Any = self.passes.payload
        self.ready = Signal()
        room = Signal(range(self.results + 1), init=self.results)
        results = p.last & (p.post != Post.SCORE)
        takes = Signal(range(self.results + 1))
        m.d.comb += takes.eq(Mux(self.start & results, p.pairs, 0))
        m.d.sync += room.eq(room + self.left - takes)
        self.enough, self.query, self.waited = Signal(), Signal(), self._waited(m, p)
        m.d.comb += [
            self.enough.eq(~results | (room >= p.pairs)),
            self.query.eq(~p.wait_query | self.query_loaded.bit_select(p.half, 1)),
        ]
        m.d.sync += self.ready.eq(
            self.passes.valid & self.waited & self.enough & self.query & ~self.start
        )

    def _waited(self, m: Module, p: Any) -> Value:
        done = Signal()
        with m.Switch(p.wait):
            with m.Case(Wait.NOTHING):
                m.d.comb += done.eq(1)
            with m.Case(Wait.RETIRED):
                m.d.comb += done.eq(~(self.retired - p.wait_for)[NUMBER_BITS - 1])
            with m.Case(Wait.SCORED):
                m.d.comb += done.eq(~(self.scored - p.wait_for)[NUMBER_BITS - 1])
            with m.Case(Wait.TOKENS):
                m.d.comb += done.eq(self.tokens >= p.wait_for)
        return done

    def _explain(self, m: Module) -> None:
        """One cause a cycle; padding of a short pass waits for the multipliers too."""
        p: Any = self.passes.payload
        held: Any = self.held
        cause = Signal(Cause)
        operand = {Wait.TOKENS: Cause.NORM, Wait.SCORED: Cause.SOFTMAX, Wait.RETIRED: Cause.OPERAND}
        with m.If(self.active):
            m.d.comb += cause.eq(Mux(self.slot < held.pairs, Cause.BUSY, Cause.REFILL))
        with m.Elif(self.passes.valid & ~self.waited):
            with m.Switch(p.wait):
                for wait, name in operand.items():
                    with m.Case(wait):
                        m.d.comb += cause.eq(name)
        with m.Elif(self.passes.valid & ~self.query):
            m.d.comb += cause.eq(Cause.OPERAND)
        with m.Elif(self.passes.valid & ~self.loaded):
            m.d.comb += cause.eq(Mux(self.starved, Cause.WEIGHTS, Cause.REFILL))
        with m.Elif(self.passes.valid & ~self.enough):
            m.d.comb += cause.eq(Cause.BLOCKED)
        m.d.sync += [
            self.cause.eq(cause),
            self.full.eq(self.passes.valid & ~self.enough & (~self.active | self.last_slot)),
        ]

    def _emit(self, m: Module) -> None:
        c: Any = self.control
        held: Any = self.held
        opening = self.active & (self.slot == 0)
        pair = (held.first_pair + self.slot)[:PAIR_BITS]
        m.d.comb += [getattr(c, name).eq(getattr(held, name)) for name in COPIED]
        m.d.comb += [
            c.valid.eq(self.active & (self.slot < held.pairs)),
            c.swap.eq(opening),
            c.final.eq(self.slot == held.pairs - 1),
            c.both.eq((pair << 1) + 2 <= held.tokens),
            c.slot.eq(self.slot),
            c.pair.eq(pair),
            self.release.eq(opening & held.release),
            self.release_to.eq(held.address + Mux(held.parameters, self.words, 0) + CASCADE),
        ]
        bank = Signal(BANK_BITS)
        with m.If(self.start):
            m.d.sync += bank.eq(self.bank)
        m.d.comb += c.bank.eq(bank)
        freed = self.active & self.last_slot & held.end
        m.d.comb += self.query_free.eq(Mux(freed, 1 << held.half, 0)[:2])
