"""Experts without reordering: token by token, fetched when wanted, kept while there is room.

The tokens are taken in order, each with its experts ascending, and a list of one token is made for
each.  The weight ring is the cache: experts lie in it in the order in which they were fetched, and
the oldest one gives way.  This is what computation reordering is compared with.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.cost.reordering import CACHE_LIMIT
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.lists import BUFFERS
from m3vit.rtl.memory import Memory
from m3vit.rtl.passes import RING_BITS, TOKEN_BITS
from m3vit.rtl.plan import WEIGHT_BITS, PlanStore, record
from m3vit.rtl.region_size import WORDS_BITS

SLOTS = CACHE_LIMIT + 1
"""The expert that comes needs a place before the oldest one gives way.  A power of two."""


class TokenOrder(Component):
    """``start`` with ``tokens``, the ring's next word ``pointer`` and the ``words`` of an expert.

    Ports: ``ra`` to the plan's ``read``; ``want`` an ``expert`` fetched, or ``last`` of them has
    been, until ``taken``; a list of ``token`` with ``weight`` by ``give``, which ExpertLists
    answers with ``listed``; its ``held``, ``filling``, ``offered`` and ``buffer``; ``place`` of the
    offered list's expert in the ring, or of the word behind all; ``walking`` while lists come.
    ``active`` until all of the ring is given back: meanwhile nothing from ``floor`` on may be
    overwritten, and what lies in front of ``release_to`` is not used any more.

    Every expert in the ring takes ``words``, so the n-th lies n times as far behind ``floor``.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.depth = machine.ring_bytes // machine.word_bytes
        self.index_bits = max(1, (machine.max_experts - 1).bit_length())
        self.layout = record(machine.max_top_k, self.index_bits)
        self.top_k = machine.max_top_k
        super().__init__(
            {
                "start": In(1),
                "tokens": In(TOKEN_BITS),
                "pointer": In(RING_BITS),
                "words": In(WORDS_BITS),
                "ra": Out(TOKEN_BITS),
                "read": In(self.layout.size),
                "want": Out(1),
                "expert": Out(self.index_bits),
                "taken": In(1),
                "give": Out(1),
                "token": Out(TOKEN_BITS),
                "weight": Out(WEIGHT_BITS),
                "listed": In(1),
                "held": In(range(BUFFERS + 1)),
                "filling": In(1),
                "offered": In(1),
                "buffer": In(1),
                "place": Out(RING_BITS),
                "walking": Out(1),
                "last": Out(1),
                "active": Out(1),
                "floor": Out(RING_BITS),
                "release_to": Out(RING_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One expert of one token after the other; a look at a cached expert takes two cycles."""
        m = Module()
        self.base, self.used = Signal(RING_BITS), Signal(RING_BITS)
        self.first, self.count = Signal(range(SLOTS)), Signal(range(SLOTS + 1))
        self.index = Signal(range(SLOTS + 1))
        self.rank, self.least = Signal(range(self.top_k)), Signal(self.index_bits + 1)
        self.found, self.delay = Signal(), Signal(range(PlanStore.READ_LATENCY + 1))
        begins = Signal()
        m.submodules.table = self.table = Memory(
            depth=SLOTS, width=self.index_bits, style="distributed"
        )
        m.d.comb += [self.ra.eq(self.token), self.table.wd.eq(self.expert)]
        with m.FSM() as fsm:
            idle, close = fsm.ongoing("IDLE"), fsm.ongoing("CLOSE")
            m.d.comb += [
                self.active.eq(begins | ~idle),
                self.walking.eq(begins | (~idle & ~close)),
                self.want.eq(fsm.ongoing("FETCH")),
                self.give.eq(fsm.ongoing("GIVE")),
            ]
            with m.State("IDLE"):
                m.d.sync += [self.floor.eq(self.pointer), self.used.eq(0), self.count.eq(0)]
                m.d.sync += [self.token.eq(0), self.delay.eq(0)]
                m.d.sync += begins.eq(self.start)
                with m.If(begins):
                    m.d.sync += begins.eq(0)
                    m.next = "READ"
            self._choose(m)
            self._look(m)
            self._list(m)
            with m.State("CLOSE"):
                with m.If(self.held == 0):
                    m.d.sync += [self.floor.eq(self.floor + self.used), self.used.eq(0)]
                    with m.If((self.used == 0) & (self.release_to == self.floor)):
                        m.next = "IDLE"
        self._places(m)
        return m

    def _choose(self, m: Module) -> None:
        """The token's lowest expert from ``least`` on, a rank a cycle; then the next token."""
        with m.State("READ"):
            m.d.sync += [self.delay.eq(self.delay + 1), self.least.eq(0)]
            m.d.sync += [self.rank.eq(0), self.found.eq(0)]
            with m.If(self.delay == PlanStore.READ_LATENCY):
                m.d.sync += self.delay.eq(0)
                m.next = "CHOOSE"
        one: Any = data.View(self.layout, self.read)[self.rank]
        better = one.present & (one.expert >= self.least)
        with m.State("CHOOSE"):
            m.d.sync += self.rank.eq(self.rank + 1)
            with m.If(better & (~self.found | (one.expert < self.expert))):
                m.d.sync += [self.expert.eq(one.expert), self.weight.eq(one.weight)]
                m.d.sync += self.found.eq(1)
            with m.If(self.rank == self.top_k - 1):
                m.next = "ROOM"
        with m.State("ROOM"):
            m.d.sync += [self.base.eq(self.floor), self.index.eq(0)]
            with m.If(~self.found & (self.token == self.tokens - 1)):
                m.d.comb += self.last.eq(1)
                with m.If(self.taken):
                    m.next = "CLOSE"
            with m.Elif(~self.found):
                m.d.sync += self.token.eq(self.token + 1)
                m.next = "READ"
            with m.Elif(self.held != BUFFERS):
                m.next = "LOOK"

    def _look(self, m: Module) -> None:
        """Among the cached experts, the oldest first; behind them is the place of a new one."""
        at, newest = self._slot(self.index), self._slot(self.count)
        m.d.comb += [
            self.table.ra0.eq(at),
            self.table.wa.eq(newest),
            self.table.we.eq(self.want & self.taken),
        ]
        with m.State("LOOK"):
            m.next = "COMPARE"
        with m.State("COMPARE"):
            with m.If(self.index == self.count):
                m.next = "FETCH"
            with m.Elif(self.table.rd0 == self.expert):
                m.next = "GIVE"
            with m.Else():
                m.d.sync += [self.index.eq(self.index + 1), self.base.eq(self.base + self.words)]
                m.next = "LOOK"
        with m.State("FETCH"):
            with m.If(self.taken):
                m.d.sync += [self.count.eq(self.count + 1), self.used.eq(self.used + self.words)]
                m.next = "GIVE"

    def _slot(self, number: Value) -> Value:
        """Where the ``number``-th oldest is in the table."""
        return (self.first + number)[: len(self.first)]

    def _list(self, m: Module) -> None:
        """One expert of the token; then the oldest ones give way as long as the ring is too small.

        One that is larger than the ring gives way itself: its passes follow its weights.
        """
        with m.State("GIVE"):
            m.next = "LISTED"
        with m.State("LISTED"):
            with m.If(self.listed):
                m.next = "EVICT"
        with m.State("EVICT"):
            m.d.sync += [self.least.eq(self.expert + 1), self.rank.eq(0), self.found.eq(0)]
            with m.If((self.used > self.depth) | (self.count == SLOTS)):
                m.d.sync += [
                    self.first.eq(self._slot(1)),
                    self.count.eq(self.count - 1),
                    self.used.eq(self.used - self.words),
                    self.floor.eq(self.floor + self.words),
                ]
            with m.Else():
                m.next = "CHOOSE"

    def _places(self, m: Module) -> None:
        """Of the lists' experts; the oldest list's may have given way while it computes."""
        first, second = (Signal(RING_BITS, name=f"place{number}") for number in range(BUFFERS))
        with m.If(self.give & self.filling):
            m.d.sync += second.eq(self.base)
        with m.Elif(self.give):
            m.d.sync += first.eq(self.base)
        oldest, ahead = Signal(RING_BITS), Signal(RING_BITS)
        both = self.held == BUFFERS
        m.d.comb += [
            oldest.eq(Mux(self.filling == both, second, first)),
            ahead.eq(oldest - self.floor),
            self.place.eq(
                Mux(self.offered, Mux(self.buffer, second, first), self.floor + self.used)
            ),
        ]
        m.d.sync += self.release_to.eq(Mux((self.held != 0) & ahead[-1], oldest, self.floor))
