"""DMA from memory: rows out of the stream of weights into RES (int16) or XN (int8)."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS, Op, Store
from m3vit.hw.formats import RESIDUAL_BITS, RESIDUAL_GUARD_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import WORD_BITS as ACTIVATION_WORD
from m3vit.rtl.command import header, operands
from m3vit.rtl.library import lanes, register
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.residual_store import WORD_BITS as RESIDUAL_WORD
from m3vit.rtl.ring import BEAT_BYTES
from m3vit.rtl.row_walk import RowWalk

_PIECE = 256
"""Bits of a word of either store in memory."""


class DmaIn(Component):
    """``start`` executes the DMA command in ``word``, which is not needed afterwards.

    Ports: ``beats``, rows one behind the other; ``busy``; ``rows`` complete in the store so far;
    writers of XN and RES.  A word of a store a cycle, 32 bytes; half a word of XN where a row is
    no whole number of words.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self.walk = RowWalk(machine)
        row = self.walk.row_bits
        super().__init__(
            {
                "start": In(1),
                "word": In(WORD_BITS),
                "half_tokens": In(TOKEN_BITS),
                "beats": In(stream.Signature(8 * BEAT_BYTES)),
                "busy": Out(1),
                "rows": Out(TOKEN_BITS),
                "bank": Out(3),
                "row": Out(row),
                "xn_write": Out(1),
                "xn_ready": In(1),
                "xn_data": Out(ACTIVATION_WORD),
                "xn_mask": Out(4),
                "res_write": Out(1),
                "res_ready": In(1),
                "res_data": Out(RESIDUAL_WORD),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Cut 64 bytes into pieces; a register in front of the stores."""
        m = Module()
        m.submodules.walk = walk = self.walk
        self.to_xn, self.narrow = Signal(), Signal()
        self._command(m)
        held, left = Signal(8 * BEAT_BYTES, reset_less=True), Signal(3)
        valid, final = Signal(), Signal()
        piece = register(_PIECE, "piece")
        stored = Mux(self.to_xn, self.xn_ready, self.res_ready)
        takes = Signal()
        m.d.comb += [
            takes.eq(walk.valid & (left != 0) & (~valid | stored)),
            walk.next.eq(takes),
            self.beats.ready.eq(walk.valid & ((left == 0) | ((left == 1) & takes))),
            self.xn_write.eq(valid & self.to_xn),
            self.res_write.eq(valid & ~self.to_xn),
        ]
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += [held.eq(self.beats.payload), left.eq(Mux(self.narrow, 4, 2))]
        with m.Elif(takes):
            m.d.sync += left.eq(left - 1)
            m.d.sync += held.eq(Mux(self.narrow, held >> _PIECE // 2, held >> _PIECE))
        with m.If(takes):
            m.d.sync += [
                valid.eq(1),
                piece.eq(Mux(self.narrow, Cat(held[:128], held[:128]), held[:_PIECE])),
                final.eq(walk.end),
                self.bank.eq(walk.bank),
                self.row.eq(walk.row),
                self.xn_mask.eq(Mux(self.narrow, Mux(walk.half, 0b1100, 0b0011), 0b1111)),
            ]
        with m.Elif(stored):
            m.d.sync += valid.eq(0)
        self._rows(m, takes, valid & stored, final)
        codes = [Cat(Const(0, RESIDUAL_GUARD_BITS), v)[:RESIDUAL_BITS] for v in lanes(piece, 16)]
        m.d.comb += [self.xn_data.eq(piece), self.res_data.eq(Cat(*codes))]
        with m.If(self.start | (valid & stored & final)):
            m.d.sync += left.eq(0)  # what lies behind the rows in the last 64 bytes
        return m

    def _command(self, m: Module) -> None:
        head, fields, walk = header(self.word), operands(self.word, Op.DMA), self.walk
        to_xn = head["dst"] == Store.XN
        units: Any = Signal(8)
        tokens, token, channel = Signal(TOKEN_BITS), Signal(TOKEN_BITS), Signal(8)
        begins = Signal()
        m.d.sync += begins.eq(self.start)
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                self.to_xn.eq(to_xn),
                self.narrow.eq(to_xn & fields["elements"][4]),
                units.eq(fields["elements"] >> 4),
                tokens.eq(head["tokens"]),
                token.eq(fields["first_token"]),
                channel.eq(fields["first_channel"]),
            ]
        m.d.comb += [
            walk.start.eq(begins),
            walk.residual.eq(~self.to_xn),
            walk.step.eq(Mux(self.to_xn & ~self.narrow, 2, 1)),
            walk.units.eq(units),
            walk.tokens.eq(tokens),
            walk.first_token.eq(token),
            walk.first_channel.eq(channel),
            walk.half_tokens.eq(self.half_tokens),
        ]

    def _rows(self, m: Module, takes: Value, stored: Value, final: Value) -> None:
        """A row is complete when its last piece has left the register."""
        row_end, number = Signal(), Signal(TOKEN_BITS)
        with m.If(takes):
            m.d.sync += [row_end.eq(self.walk.row_end), number.eq(self.walk.token + 1)]
        with m.If(self.start):
            m.d.sync += self.rows.eq(0)
        with m.Elif(stored & row_end):
            m.d.sync += [self.rows.eq(number), self.busy.eq(~final)]
