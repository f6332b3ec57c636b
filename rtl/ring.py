"""The weight ring: 64-byte writes, words of one load step, free-running addresses.

Addresses count ring words since the start, modulo 2^16.  What lies between ``tail`` (released) and
``head`` (written) can be read; the place of an address in the memory follows from its distance to
the tail, so that the ring's depth need not be a power of two.
"""

import math

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.library import delayed, register
from m3vit.rtl.memory import Memory
from m3vit.rtl.passes import RING_BITS

BEAT_BYTES = 64

RELEASE_DELAY = 12
"""A pass may be issued while the last steps of its tile are still read: the tail, to which their
addresses are relative, moves behind them."""


class Gearbox(Component):
    """64-byte beats to words of ``word_bytes``, no byte lost or added.  One cycle latency."""

    def __init__(self, word_bytes: int) -> None:
        self.word, self.unit = word_bytes, math.gcd(word_bytes, BEAT_BYTES)
        super().__init__(
            {
                "beats": In(stream.Signature(8 * BEAT_BYTES)),
                "words": Out(stream.Signature(8 * word_bytes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A buffer of a word and a beat; the level counts common units."""
        m = Module()
        bits, word, beat = 8 * self.unit, self.word // self.unit, BEAT_BYTES // self.unit
        size = word + beat
        held = Signal(size * bits)
        level = Signal(range(size + 1))
        after, rest = Signal(range(size + 1)), Signal(size * bits)
        leaves = self.words.valid & self.words.ready
        m.d.comb += [
            self.words.valid.eq(level >= word),
            self.words.payload.eq(held[: word * bits]),
            after.eq(Mux(leaves, level - word, level)),
            rest.eq(Mux(leaves, held >> (word * bits), held)),
            self.beats.ready.eq(level <= word),
        ]
        m.d.sync += [held.eq(rest), level.eq(after)]
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += level.eq(after + beat)
            with m.Switch(after):
                for place in range(word + 1):
                    with m.Case(place):
                        m.d.sync += held.eq(
                            Cat(rest[: place * bits], self.beats.payload)[: size * bits]
                        )
        return m


class Ring(Component):
    """Ports: ``beats``; ``head`` words written; ``address`` to ``data`` (``LATENCY`` cycles);
    ``release`` with ``release_to``: everything in front of that address may be overwritten, unless
    it lies behind ``floor`` while that is ``kept``.

    Raises:
        ConfigurationError: the ring has no whole words or more than the addresses can tell apart.
    """

    LATENCY = 4

    def __init__(self, machine: MachineConfig) -> None:
        self.depth, rest = divmod(machine.ring_bytes, machine.word_bytes)
        if rest or not 16 <= self.depth < 1 << (RING_BITS - 1):
            raise ConfigurationError(
                f"ring: ring_bytes must be 16 to {(1 << (RING_BITS - 1)) - 1} words of "
                f"{machine.word_bytes} bytes, not {machine.ring_bytes}"
            )
        self.word = machine.word_bytes
        super().__init__(
            {
                "beats": In(stream.Signature(8 * BEAT_BYTES)),
                "head": Out(RING_BITS),
                "address": In(RING_BITS),
                "data": Out(8 * self.word),
                "release": In(1),
                "release_to": In(RING_BITS),
                "kept": In(1),
                "floor": In(RING_BITS),
                "full": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Memory between two pointers, each kept as address and as place."""
        m = Module()
        m.submodules.gearbox = gearbox = Gearbox(self.word)
        m.submodules.store = store = Memory(
            depth=self.depth, width=8 * self.word, style="block", latency=2
        )
        m.d.comb += [gearbox.beats.payload.eq(self.beats.payload)]
        m.d.comb += [
            gearbox.beats.valid.eq(self.beats.valid),
            self.beats.ready.eq(gearbox.beats.ready),
        ]
        self._write(m, gearbox, store)
        self._read(m, store)
        return m

    def _write(self, m: Module, gearbox: Gearbox, store: Memory) -> None:
        self.tail, self.tail_place = Signal(RING_BITS), Signal(range(self.depth))
        place, used = Signal(range(self.depth)), Signal(RING_BITS)
        writes = Signal()
        m.d.comb += [
            used.eq(self.head - self.tail),
            self.full.eq(used >= self.depth),
            gearbox.words.ready.eq(~self.full),
            writes.eq(gearbox.words.valid & ~self.full),
            store.we.eq(writes),
            store.wa.eq(place),
            store.wd.eq(gearbox.words.payload),
        ]
        with m.If(writes):
            m.d.sync += [
                self.head.eq(self.head + 1),
                place.eq(Mux(place == self.depth - 1, 0, place + 1)),
            ]
        pulse: Value = self.release
        for stage in range(RELEASE_DELAY):
            held = Signal(name=f"release_{stage}")
            m.d.sync += held.eq(pulse)
            pulse = held
        early = delayed(m, self.release_to, RELEASE_DELAY - 1, "release_to")
        release_to, behind = delayed(m, early, 1, "release_late"), Signal(RING_BITS)
        m.d.sync += behind.eq(Mux(self.kept, self.floor - early, 0))
        self._release(m, pulse & ~behind[-1], release_to, used)

    def _release(self, m: Module, pulse: Value, release_to: Value, used: Value) -> None:
        """The tail follows the furthest release as far as words have been written: experts that
        are skipped may still be on their way.  Every second cycle, so that no path is long.
        """
        goal, ahead = Signal(RING_BITS), Signal(RING_BITS)
        step, applies = Signal(RING_BITS), Signal()
        further = Signal(RING_BITS)
        m.d.comb += [further.eq(release_to - goal), ahead.eq(goal - self.tail)]
        with m.If(pulse & ~further[-1]):
            m.d.sync += goal.eq(release_to)
        m.d.sync += applies.eq(~applies)
        with m.If(applies):
            m.d.sync += [
                self.tail.eq(self.tail + step),
                self.tail_place.eq(self._place(self.tail_place, step)),
            ]
        with m.Else():
            m.d.sync += step.eq(Mux(ahead < used, ahead, used))

    def _place(self, start: Value, distance: Value) -> Value:
        total = start + distance
        return Mux(total >= self.depth, total - self.depth, total)

    def _read(self, m: Module, store: Memory) -> None:
        distance, start = register(RING_BITS, "distance"), register(len(self.tail_place), "start")
        place = register(len(self.tail_place), "read_place")
        m.d.sync += [
            distance.eq(self.address - self.tail),
            start.eq(self.tail_place),
            place.eq(self._place(start, distance)),
        ]
        m.d.comb += [store.ra0.eq(place), self.data.eq(store.rd0)]


def within(head: Value, address: Value, words: int | Value) -> Value:
    """Whether ``words`` words from ``address`` on have been written."""
    return ((head - address - words)[:RING_BITS] & Const(1 << (RING_BITS - 1), RING_BITS)) == 0
