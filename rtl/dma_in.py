"""DMA from memory: rows out of the stream of weights into RES (int16) or XN (int8)."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS, Op, Store
from m3vit.hw.formats import RESIDUAL_BITS, RESIDUAL_GUARD_BITS
from m3vit.hw.machine import MachineConfig
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

    Ports: ``beats``, rows one behind the other; ``busy``; writer of RES; ``xn_start`` and words to
    XnWriter, ``xn_room``: it takes one.  A word of a store a cycle, 32 bytes; half a word of XN
    where a row is no whole number of words.
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
                "bank": Out(3),
                "row": Out(row),
                "xn_start": Out(1),
                "xn_tokens": Out(TOKEN_BITS),
                "xn_units": Out(7),
                "xn_word": Out(_PIECE),
                "xn_valid": Out(1),
                "xn_room": In(1),
                "res_write": Out(1),
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
        # the beat behind: one of the next command's rows may wait here until it starts
        following, waits = Signal(8 * BEAT_BYTES, reset_less=True), Signal()
        valid, final = Signal(), Signal()
        piece = register(_PIECE, "piece")
        takes, stored, opens = Signal(), Signal(), Signal()
        half = _PIECE // 2
        m.d.comb += [
            stored.eq(~self.to_xn | self.xn_room),
            takes.eq(walk.valid & (left != 0) & (~valid | stored)),
            walk.next.eq(takes),
            opens.eq((left == 0) | ((left == 1) & takes & ~walk.end)),
            self.beats.ready.eq(~waits),
            self.xn_valid.eq(valid & self.to_xn & self.xn_room),
            self.res_write.eq(valid & ~self.to_xn),
        ]
        with m.If(self.beats.ready):
            m.d.sync += [following.eq(self.beats.payload), waits.eq(self.beats.valid)]
        with m.If(waits & walk.valid & opens):
            m.d.sync += [held.eq(following), left.eq(Mux(self.narrow, 4, 2)), waits.eq(0)]
        with m.Elif(takes):
            m.d.sync += left.eq(left - 1)
            m.d.sync += held.eq(Mux(self.narrow, held >> half, held >> _PIECE))
        with m.If(takes):
            upper = Mux(self.narrow, held[:half], held[half:_PIECE])
            lower = Mux(self.narrow & walk.half, piece[:half], held[:half])
            whole = ~self.narrow | walk.half | walk.row_end
            m.d.sync += [
                valid.eq(whole),
                piece.eq(Cat(lower, upper)),
                final.eq(walk.end),
                self.bank.eq(walk.bank),
                self.row.eq(walk.row),
            ]
        with m.Elif(stored):
            m.d.sync += valid.eq(0)
        codes = [Cat(Const(0, RESIDUAL_GUARD_BITS), v)[:RESIDUAL_BITS] for v in lanes(piece, 16)]
        m.d.comb += [self.xn_word.eq(piece), self.res_data.eq(Cat(*codes))]
        with m.If(valid & stored & final):
            # what lies behind the rows in the last 64 bytes
            m.d.sync += [left.eq(0), final.eq(0), self.busy.eq(0)]
        return m

    def _command(self, m: Module) -> None:
        head, fields, walk = header(self.word), operands(self.word, Op.DMA), self.walk
        to_xn = head["dst"] == Store.XN
        units: Any = Signal(8)
        tokens, token, channel = Signal(TOKEN_BITS), Signal(TOKEN_BITS), Signal(8)
        begins = Signal()
        m.d.comb += [
            self.xn_start.eq(self.start & to_xn),
            self.xn_tokens.eq(head["tokens"]),
            self.xn_units.eq(fields["elements"] >> 4),
        ]
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
