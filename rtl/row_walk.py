"""Where the pieces of rows of tokens lie in a store, one behind the other."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import row_bits
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.residual_store import place_layout


class RowWalk(Component):
    """``start`` begins at the first piece; ``next`` goes on from it while ``valid``.

    ``residual``: a piece is a word of RES (16 channels) from ``first_token``, ``first_channel``
    on; else of an activation store, ``step`` = 1 or 2 units of 16 channels.  ``tokens`` rows of
    ``units`` units, all constant until the end.  ``bank`` (of eight, or of four), ``row``,
    ``half`` of the activation word; ``row_end`` and ``end`` mark last pieces, ``token`` counts.
    """

    def __init__(self, machine: MachineConfig) -> None:
        activation = row_bits(machine)
        self.row_bits = max(activation, len(Signal(place_layout(machine)).row))
        super().__init__(
            {
                "start": In(1),
                "residual": In(1),
                "step": In(2),
                "units": In(8),
                "tokens": In(TOKEN_BITS),
                "first_token": In(TOKEN_BITS),
                "first_channel": In(8),
                "half_tokens": In(TOKEN_BITS),
                "next": In(1),
                "valid": Out(1),
                "bank": Out(3),
                "row": Out(self.row_bits),
                "half": Out(1),
                "row_end": Out(1),
                "end": Out(1),
                "token": Out(TOKEN_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The row of the first channel by additions, then from piece to piece."""
        m = Module()
        self.unit, self.channel = Signal(8), Signal(8)
        self.place, self.base = Signal(TOKEN_BITS), Signal(self.row_bits)
        blocks, begins = Signal(5), Signal()
        m.d.comb += [
            self.row_end.eq(self.unit + self.step == self.units),
            self.end.eq(self.row_end & (self.token == self.tokens - 1)),
            self.half.eq(self.unit[0]),
            self.bank.eq(
                Mux(
                    self.residual,
                    Cat(self.channel[:2], self.channel[2] ^ self.place[0]),
                    Cat(self.unit[1:3], Const(0, 1)),
                )
            ),
        ]
        with m.If(self.start):
            m.d.sync += [begins.eq(1), self.valid.eq(0), self.base.eq(0), self.token.eq(0)]
            m.d.sync += [blocks.eq(self.first_channel[3:]), self.place.eq(self.first_token)]
        with m.Elif(begins & self.residual & (blocks != 0)):
            m.d.sync += [
                self.base.eq(self.base + (self.half_tokens << 1)),
                blocks.eq(blocks - 1),
            ]
        with m.Elif(begins):
            m.d.sync += [begins.eq(0), self.valid.eq(1)]
            self._begin_row(m, self.place)
        with m.Elif(self.valid & self.next):
            self._advance(m)
        return m

    def _begin_row(self, m: Module, place: Value) -> None:
        odd = Mux(place[0], self.half_tokens, 0)
        residual = self.base + odd + (place >> 1)
        m.d.sync += [
            self.unit.eq(0),
            self.channel.eq(self.first_channel),
            self.row.eq(Mux(self.residual, residual, place)),
        ]

    def _advance(self, m: Module) -> None:
        following: Any = Signal(TOKEN_BITS)
        m.d.comb += following.eq(self.place + 1)
        with m.If(self.row_end):
            m.d.sync += [
                self.place.eq(following),
                self.token.eq(self.token + 1),
                self.valid.eq(~self.end),
            ]
            self._begin_row(m, following)
        with m.Else():
            m.d.sync += [self.unit.eq(self.unit + self.step), self.channel.eq(self.channel + 1)]
            with m.If(self.residual & (self.channel[:3] == 7)):
                m.d.sync += self.row.eq(self.row + (self.half_tokens << 1))
            with m.If(~self.residual & (self.unit[:3] + self.step == 8)):
                m.d.sync += self.row.eq(self.row + self.tokens)
