"""Tables out of the ring: LayerNorm entries and GELU entries, word by word."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.layout.sizes import GELU_BYTES
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.library import lanes
from m3vit.rtl.loader import Table
from m3vit.rtl.passes import RING_BITS


class Tables(Component):
    """``start`` with ``address`` reads a table: GELU's bytes (``gelu``), or ``channels`` LayerNorm
    entries (two a cycle, 48 bits each: gamma, beta).  ``busy`` until the last entry is written.

    ``tables``, ``table_we`` and ``table_word`` go to the loader; one word is asked for at a time.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.word_bits = 8 * machine.word_bytes
        super().__init__(
            {
                "start": In(1),
                "gelu": In(1),
                "address": In(RING_BITS),
                "channels": In(12),
                "busy": Out(1),
                "tables": Out(stream.Signature(Table)),
                "table_we": In(1),
                "table_word": In(self.word_bits),
                "gelu_we": Out(1),
                "gelu_wa": Out(9),
                "gelu_wd": Out(8),
                "norm_we": Out(1),
                "norm_channel": Out(12),
                "norm_entry": Out(96),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask, catch, shift out."""
        m = Module()
        gelu, left, entry = Signal(), Signal(12), Signal(12)
        asks, shifts = Signal(), Signal()
        place, word = Signal(RING_BITS), Signal(self.word_bits, reset_less=True)
        step = Signal(range(self.word_bits // 8 + 1))
        table: Any = self.tables.payload
        m.d.comb += [
            self.tables.valid.eq(asks),
            table.address.eq(place),
            table.words.eq(1),
            self.gelu_we.eq(shifts & gelu),
            self.gelu_wa.eq(entry),
            self.gelu_wd.eq(word[:8]),
            self.norm_we.eq(shifts & ~gelu),
            self.norm_channel.eq(entry),
            self.norm_entry.eq(
                Cat(Cat(record[:16], record[32:]) for record in lanes(word[:128], 64))
            ),
        ]
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                asks.eq(1),
                gelu.eq(self.gelu),
                place.eq(self.address),
                left.eq(Mux(self.gelu, GELU_BYTES, self.channels)),
                entry.eq(0),
            ]
        with m.If(self.tables.valid & self.tables.ready):
            m.d.sync += [asks.eq(0), place.eq(place + 1)]
        with m.If(self.table_we):
            m.d.sync += [word.eq(self.table_word), shifts.eq(1), step.eq(0)]
        with m.If(shifts):
            size = Mux(gelu, 1, 2)
            last_step = step == Mux(gelu, self.word_bits // 8 - 1, self.word_bits // 128 - 1)
            done = left <= size
            m.d.sync += [
                word.eq(Mux(gelu, word >> 8, word >> 128)),
                step.eq(step + 1),
                entry.eq(entry + size),
                left.eq(left - size),
            ]
            with m.If(done | last_step):
                m.d.sync += [shifts.eq(0), asks.eq(~done), self.busy.eq(~done)]
        return m
