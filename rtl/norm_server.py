"""NORM: tokens whose residual is complete through LayerNorm into XN."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.machine import MachineConfig
from m3vit.rtl.layernorm import LayerNorm
from m3vit.rtl.library import shared
from m3vit.rtl.memory import Memory
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.residual_store import CHANNELS, ResidualStore, place_layout, row_of
from m3vit.rtl.residual_store import WORD_BITS as RESIDUAL_WORD

BUFFER_BITS = 2
BUFFERS = 1 << BUFFER_BITS
"""Tokens between the residual and the lanes: with two, reading and playing would take turns."""


class NormServer(Component):
    """``start`` normalises ``tokens`` tokens of ``width16`` units of 16 channels; token t is read
    when ``published`` > t.  ``busy`` until ``done``: XnWriter has written the last.

    Ports: side reader of RES, XnWriter's inputs, the table's write port, ``epsilon``, ``shift``.
    For the counters: ``playing`` channels go into the lanes, ``starved`` the residual is not
    there, ``blocked`` XN's bank is still read.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self.size = machine.layernorm_lanes
        self.parts = CHANNELS // self.size
        super().__init__(
            {
                "start": In(1),
                "tokens": In(TOKEN_BITS),
                "half_tokens": In(TOKEN_BITS),
                "width16": In(7),
                "epsilon": In(32),
                "shift": In(6),
                "published": In(TOKEN_BITS),
                "busy": Out(1),
                "done": In(1),
                "res_read": Out(1),
                "res_ready": In(1),
                "res_place": Out(place_layout(machine)),
                "res_data": In(RESIDUAL_WORD),
                "y": Out(8 * self.size),
                "y_valid": Out(1),
                "reserve": Out(1),
                "room": In(1),
                "table_we": In(1),
                "table_channel": In(12),
                "table_entry": In(96),
                "playing": Out(1),
                "starved": Out(1),
                "blocked": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Reader into a buffer of tokens, player through the lanes."""
        m = Module()
        machine = self.machine
        self.active = Signal()
        m.d.comb += self.busy.eq(self.active)
        depth = 1 << (machine.max_width // CHANNELS - 1).bit_length()
        self.buffer = Memory(depth=BUFFERS * depth, width=RESIDUAL_WORD, style="distributed")
        m.submodules.buffer = self.buffer
        self.filled, self.side = Signal(range(BUFFERS + 1)), Signal(BUFFER_BITS)
        played = self._play(m)
        loaded = self._read(m)
        m.d.sync += self.filled.eq(self.filled + loaded - played)
        with m.If(self.start):
            m.d.sync += self.active.eq(1)
        with m.Elif(self.done):
            m.d.sync += self.active.eq(0)
        return m

    def _read(self, m: Module) -> Value:
        """A word a cycle unless its bank is busy; ``loaded`` with a token's last word."""
        token, word, side = Signal(TOKEN_BITS), Signal(7), Signal(BUFFER_BITS)
        bank = Signal(3)
        """(word + 4 * (token odd)) mod 8: words of a token lie bank by bank."""
        free = Signal(range(BUFFERS + 1), init=BUFFERS)
        here: Any = self.res_place
        asks, last = Signal(), word == self.width16 - 1
        takes = asks & self.res_ready
        ends = takes & last
        # decided a cycle ahead, for the token that will be in turn then
        turns = [
            (number < self.tokens) & (number < self.published) & ((free > places) | self.played)
            for places, number in enumerate((token, token + 1))
        ]
        m.d.sync += asks.eq(self.active & Mux(ends, turns[1], turns[0]))
        m.d.comb += self.starved.eq(self.active & (token < self.tokens) & (token >= self.published))
        m.d.comb += [
            self.res_read.eq(asks),
            here.bank.eq(bank),
            here.row.eq(row_of(word, token, self.half_tokens)),
        ]
        with m.If(self.start):
            m.d.sync += [token.eq(0), word.eq(0), bank.eq(0)]
        with m.Elif(takes):
            m.d.sync += bank.eq(Mux(last, Cat(Const(0, 2), ~token[0]), bank + 1))
            m.d.sync += word.eq(Mux(last, 0, word + 1))
            with m.If(last):
                m.d.sync += [token.eq(token + 1), side.eq(side + 1)]
        m.d.sync += free.eq(free - ends + self.played)
        late: Any = Cat(takes, ends, side, word)
        for stage in range(ResidualStore.LATENCY):
            held = Signal(len(late), name=f"arrives{stage}")
            m.d.sync += held.eq(late)
            late = held
        inside = self.buffer.address_bits - BUFFER_BITS
        m.d.comb += [
            self.buffer.we.eq(late[0]),
            self.buffer.wa.eq(Cat(late[2 + BUFFER_BITS :][:inside], late[2 : 2 + BUFFER_BITS])),
            self.buffer.wd.eq(self.res_data),
        ]
        return late[1]

    def _play(self, m: Module) -> Value:
        """A buffered token through the lanes without a gap; ``played`` frees its buffer."""
        self.played = Signal()
        word, part, on = Signal(7), Signal(range(max(2, self.parts))), Signal()
        last = on & (word == self.width16 - 1) & (part == self.parts - 1)
        there = Mux(on, last & (self.filled > 1), self.filled != 0)
        begins = there & self.room
        with m.If(on):
            m.d.sync += part.eq(Mux(part == self.parts - 1, 0, part + 1))
            with m.If(part == self.parts - 1):
                m.d.sync += word.eq(word + 1)
            with m.If(last):
                m.d.sync += [on.eq(0), self.side.eq(self.side + 1)]
        with m.If(begins):
            m.d.sync += [on.eq(1), word.eq(0), part.eq(0)]
        m.d.comb += [
            self.playing.eq(on),
            self.blocked.eq((self.filled != 0) & ~on & ~self.room),
            self.reserve.eq(begins),
            self.played.eq(last),
            self.buffer.ra0.eq(Cat(word[: self.buffer.address_bits - BUFFER_BITS], self.side)),
        ]
        valid, first, which = Signal(), Signal(), Signal(len(part))
        m.d.sync += [valid.eq(on), first.eq(on & (word == 0) & (part == 0)), which.eq(part)]
        self._lanes(m, valid, first, which)
        return self.played

    def _lanes(self, m: Module, valid: Value, first: Value, which: Value) -> None:
        block = LayerNorm(size=self.size, max_width=self.machine.max_width)
        width = self.size * 18
        chunks = (self.width16 * self.parts)[: len(block.chunks)]
        m.submodules.lanes = shared(
            block,
            x=self.buffer.rd0.word_select(which, width),
            valid=valid,
            first=first,
            units=self.width16[: len(block.units)],
            chunks=chunks,
            epsilon=self.epsilon,
            shift=self.shift,
            bank=Signal(),
            table_we=self.table_we,
            table_bank=Signal(),
            table_channel=self.table_channel[: len(block.table_channel)],
            table_entry=self.table_entry,
            y=self.y,
            y_valid=self.y_valid,
            y_first=Signal(),
        )
