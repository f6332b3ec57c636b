"""DMA: rows of tokens between memory and a store, rows one behind the other in memory.

What is read is written into RES (int16, two more fraction bits) or XN (int8); RES, XN, QOH and the
plan are written to memory.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import ADDRESS_UNIT, WORD_BITS, Element, Flag, Op, Store
from m3vit.hw.formats import RESIDUAL_BITS, RESIDUAL_GUARD_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import WORD_BITS as ACTIVATION_WORD
from m3vit.rtl.activations import row_bits
from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS
from m3vit.rtl.command import header, operands
from m3vit.rtl.library import lanes
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.plan import record
from m3vit.rtl.residual_store import WORD_BITS as RESIDUAL_WORD
from m3vit.rtl.residual_store import bank_of, place_layout, row_of

BEAT = 128
_RANK_BITS = 32
_UNIT_SHIFT = (ADDRESS_UNIT - 1).bit_length()


class Dma(Component):
    """``start`` executes the DMA command in ``word`` (kept until ``busy`` falls); ``bases`` are
    those of Base.  Rows of the activation stores are the command's tokens.  Regions and beats go
    to a read and a write port of 128 bits.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        row = row_bits(machine)
        place = place_layout(machine)
        index_bits = max(1, (machine.max_experts - 1).bit_length())
        self.plan = record(machine.max_top_k, index_bits)
        region = {"valid": Out(1), "ready": In(1), "address": Out(ADDRESS_BITS)}
        region |= {"beats": Out(LENGTH_BITS)}
        side: dict[str, Any] = {}
        for store in ("xn", "qoh"):
            side |= {f"{store}_enable": Out(1), f"{store}_ready": In(1)}
            side |= {f"{store}_data": In(ACTIVATION_WORD)}
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "word": In(WORD_BITS),
                "bases": In(data.ArrayLayout(ADDRESS_BITS, 4)),
                "half_tokens": In(TOKEN_BITS),
                **{f"read_{name}": port for name, port in region.items()},
                "data_valid": In(1),
                "data_ready": Out(1),
                "data": In(BEAT),
                **{f"write_{name}": port for name, port in region.items()},
                "out_valid": Out(1),
                "out_ready": In(1),
                "out": Out(BEAT),
                "write_idle": In(1),
                **side,
                "bank": Out(2),
                "row": Out(row),
                "xn_write": Out(1),
                "xn_write_ready": In(1),
                "xn_data_out": Out(ACTIVATION_WORD),
                "xn_mask": Out(4),
                "res_read": Out(1),
                "res_read_ready": In(1),
                "res_place": Out(place),
                "res_data": In(RESIDUAL_WORD),
                "res_write": Out(1),
                "res_write_ready": In(1),
                "res_data_out": Out(RESIDUAL_WORD),
                "plan_token": Out(max(1, (machine.max_tokens - 1).bit_length())),
                "plan_entry": In(self.plan.size),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One state machine for both directions; a place counter in tokens and units."""
        m = Module()
        self.head, self.fields = header(self.word), operands(self.word, Op.DMA)
        self.token, self.unit = Signal(TOKEN_BITS), Signal(8)
        self.left, self.beat = Signal(TOKEN_BITS), Signal(3)
        self.held, self.level = Signal(512), Signal(5)
        self._addresses(m)
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                with m.If(self.start):
                    m.next = "REGION"
            with m.State("REGION"):
                self._region(m)
            with m.State("IN"):
                self._take(m)
            with m.State("STORE"):
                self._store(m)
            with m.State("ASK"):
                self._ask(m)
            with m.State("COME"):
                self._come(m)
            with m.State("OUT"):
                self._give(m)
            with m.State("PACK"):
                self._pack(m)
            with m.State("CLOSE"):
                with m.If(self.write_idle):
                    m.next = "IDLE"
        return m

    def _addresses(self, m: Module) -> None:
        """Units: 16 channels of RES and of what is read into XN, 32 of what is read from it."""
        fields = self.fields
        token = self.token + fields["first_token"]
        channel = fields["first_channel"] + self.unit
        word = Mux(self.head["dst"] == Store.XN, channel >> 1, channel)
        reads = self.head["dst"] == Store.NONE
        activation = Mux(reads, (fields["first_channel"] >> 1) + self.unit, word)
        here: Any = self.res_place
        blocks, rows = activation[2:], self.head["tokens"]
        m.d.comb += [
            here.bank.eq(bank_of(channel, token)),
            here.row.eq(row_of(channel, token, self.half_tokens)),
            self.bank.eq(activation[:2]),
            self.row.eq(sum((Mux(blocks[i], rows << i, 0) for i in range(len(blocks))), token)),
            self.plan_token.eq(token),
        ]
        words = lanes(self.held[: 2 * BEAT], 16)
        codes = [Cat(Const(0, RESIDUAL_GUARD_BITS), v)[:RESIDUAL_BITS] for v in words]
        m.d.comb += [
            self.res_data_out.eq(Cat(*codes)),
            self.xn_data_out.eq(Cat(self.data, self.data)),
            self.xn_mask.eq(Mux(channel[0], 0b1100, 0b0011)),
        ]

    def _region(self, m: Module) -> None:
        fields, writes = self.fields, (self.head["flags"] & Flag.WRITE) != 0
        base = self.bases[fields["base"]] + (fields["address"] << _UNIT_SHIFT)
        size = (self.head["tokens"] * fields["stride"] + 15) >> 4
        m.d.comb += [
            self.read_valid.eq(~writes),
            self.write_valid.eq(writes),
            self.read_address.eq(base),
            self.write_address.eq(base),
            self.read_beats.eq(size),
            self.write_beats.eq(size),
        ]
        m.d.sync += [self.token.eq(0), self.unit.eq(0), self.beat.eq(0), self.level.eq(0)]
        with m.If(writes & self.write_ready):
            m.next = "ASK"
        with m.Elif(~writes & self.read_ready):
            m.next = "IN"

    def _next(self, m: Module, units: Value, following: str, end: str) -> None:
        """Next unit, next token, or the end."""
        last_unit = self.unit == units - 1
        m.next = following
        m.d.sync += self.unit.eq(Mux(last_unit, 0, self.unit + 1))
        with m.If(last_unit):
            m.d.sync += self.token.eq(self.token + 1)
            with m.If(self.token == self.head["tokens"] - 1):
                m.next = end

    def _take(self, m: Module) -> None:
        """Two beats make a word of RES; a beat is half a word of XN and goes straight in."""
        units = self.fields["elements"] >> 4
        with m.If(self.head["dst"] == Store.XN):
            m.d.comb += [
                self.xn_write.eq(self.data_valid),
                self.data_ready.eq(self.xn_write_ready),
            ]
            with m.If(self.data_valid & self.xn_write_ready):
                self._next(m, units, "IN", "IDLE")
        with m.Else():
            m.d.comb += self.data_ready.eq(1)
            with m.If(self.data_valid):
                m.d.sync += [
                    self.held.eq(Cat(self.held[BEAT : 2 * BEAT], self.data)),
                    self.beat.eq(~self.beat[0]),
                ]
                with m.If(self.beat[0]):
                    m.next = "STORE"

    def _store(self, m: Module) -> None:
        m.d.comb += self.res_write.eq(1)
        with m.If(self.res_write_ready):
            m.d.sync += self.beat.eq(0)
            self._next(m, self.fields["elements"] >> 4, "IN", "IDLE")

    def _ask(self, m: Module) -> None:
        src = self.head["src"]
        granted = Signal()
        m.d.comb += [
            self.res_read.eq(src == Store.RES),
            self.xn_enable.eq(src == Store.XN),
            self.qoh_enable.eq(src == Store.QOH),
            granted.eq(
                (self.res_read & self.res_read_ready)
                | (self.xn_enable & self.xn_ready)
                | (self.qoh_enable & self.qoh_ready)
                | (src == Store.PLAN)
            ),
        ]
        m.d.sync += self.beat.eq(0)
        with m.If(granted):
            m.next = "COME"

    def _come(self, m: Module) -> None:
        """Wait for the store, then bring its word into memory's format."""
        m.d.sync += self.beat.eq(self.beat + 1)
        codes = [value.as_signed() for value in lanes(self.res_data, RESIDUAL_BITS)]
        narrow = Cat(_view(code) for code in codes)
        wide = Cat(Cat(code, code[-1].replicate(32 - RESIDUAL_BITS)) for code in codes)
        src, element = self.head["src"], self.fields["element"]
        with m.If(self.beat == self._answer(src)):
            m.d.sync += [self.beat.eq(0)]
            with m.Switch(src):
                with m.Case(Store.RES):
                    m.d.sync += self.held.eq(Mux(element == Element.INT32, wide, narrow))
                with m.Case(Store.XN):
                    m.d.sync += self.held.eq(self.xn_data)
                with m.Case(Store.QOH):
                    m.d.sync += self.held.eq(self.qoh_data)
                with m.Default():
                    self._plan(m)
            m.next = "OUT"
            with m.If(src == Store.PLAN):
                m.d.sync += self.token.eq(self.token + 1)
                m.next = "PACK"

    def _answer(self, src: Value) -> Value:
        """Cycles in COME: the stores take three, the plan two."""
        return Mux(src == Store.PLAN, 1, 2)

    def _plan(self, m: Module) -> None:
        """A record of K ranks behind what is left of the tokens before it."""
        ranks: Any = data.View(self.plan, self.plan_entry)
        words = [Cat(rank.expert, Const(0, 16))[:16] for rank in ranks]
        entries = [Cat(word, rank.weight) for word, rank in zip(words, ranks, strict=True)]
        entry = Cat(*entries)
        kept = self.held & ((1 << 3 * _RANK_BITS) - 1)
        ranks_used = self.fields["elements"][:4]
        mask = Cat((rank < ranks_used).replicate(_RANK_BITS) for rank in range(len(entries)))
        with m.Switch(self.level):
            for level in range(BEAT // _RANK_BITS):
                with m.Case(level):
                    clean = kept & ((1 << level * _RANK_BITS) - 1)
                    m.d.sync += self.held.eq(clean | ((entry & mask) << (level * _RANK_BITS)))
        m.d.sync += self.level.eq(self.level + ranks_used)

    def _pack(self, m: Module) -> None:
        """Whole beats, or at the end what is left."""
        full = self.level >= BEAT // _RANK_BITS
        ends = self.token == self.head["tokens"]
        m.d.comb += self.out.eq(self.held[:BEAT])
        with m.If(full | (ends & (self.level != 0))):
            m.d.comb += self.out_valid.eq(1)
            with m.If(self.out_ready):
                m.d.sync += self.held.eq(self.held >> BEAT)
                m.d.sync += self.level.eq(Mux(full, self.level - BEAT // _RANK_BITS, 0))
        with m.Elif(ends):
            m.next = "CLOSE"
        with m.Else():
            m.next = "ASK"

    def _give(self, m: Module) -> None:
        """Beats of a word; the last piece of a row may be half a word."""
        src, element = self.head["src"], self.fields["element"]
        elements = self.fields["elements"]
        beats, units = Signal(3), Signal(8)
        with m.If(src == Store.RES):
            m.d.comb += [beats.eq(Mux(element == Element.INT32, 4, 2)), units.eq(elements >> 4)]
        with m.Else():
            m.d.comb += [beats.eq(2), units.eq((elements + 31) >> 5)]
        m.d.comb += [self.out_valid.eq(1), self.out.eq(self.held[:BEAT])]
        with m.If(self.out_ready):
            m.d.sync += [self.held.eq(self.held >> BEAT), self.beat.eq(self.beat + 1)]
            with m.If(self.beat == beats - 1):
                m.d.sync += self.beat.eq(0)
                self._next(m, units, "ASK", "CLOSE")


def _view(code: Value) -> Value:
    """sat16(rshift(code, 2)), golden ``residual_view``."""
    half = (1 << RESIDUAL_GUARD_BITS) >> 1
    value = (code + half) >> RESIDUAL_GUARD_BITS
    highest = (1 << 15) - 1
    return Mux(value > highest, Const(highest, 16), value[:16])
