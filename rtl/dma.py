"""DMA: rows of tokens between memory and a store, rows one behind the other in memory.

What is read is written into RES (int16, two more fraction bits) or XN (int8) and comes with the
stream of weights; RES, XN, QOH and the plan are written to memory.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import ADDRESS_UNIT, WORD_BITS, Flag, Op, Store
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import WORD_BITS as ACTIVATION_WORD
from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS
from m3vit.rtl.command import header, operands
from m3vit.rtl.connect import connect
from m3vit.rtl.dma_in import DmaIn
from m3vit.rtl.dma_out import BEAT, DmaOut
from m3vit.rtl.dma_plan import DmaPlan
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.product import Product
from m3vit.rtl.residual_store import WORD_BITS as RESIDUAL_WORD
from m3vit.rtl.ring import BEAT_BYTES

_UNIT_SHIFT = (ADDRESS_UNIT - 1).bit_length()
_BEAT_SHIFT = (BEAT // 8 - 1).bit_length()


class Dma(Component):
    """``start`` executes the DMA command in ``word``; one that writes to memory needs it until
    ``busy`` falls.  ``bases`` are those of Base.

    Ports: ``beats`` out of the stream of weights; ``write_*`` regions and ``out`` beats to a
    write port; ``bank`` and ``row`` in RES, XN and QOH (side ports) for reading, in RES with
    ``in_`` for writing; XnWriter's inputs; ``plan_token`` to ``plan_entry``.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self.input, self.output = DmaIn(machine), DmaOut(machine)
        self.plan = DmaPlan(machine)
        row = self.input.walk.row_bits
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "word": In(WORD_BITS),
                "bases": In(data.ArrayLayout(ADDRESS_BITS, 4)),
                "half_tokens": In(TOKEN_BITS),
                "beats": In(stream.Signature(8 * BEAT_BYTES)),
                "write_valid": Out(1),
                "write_ready": In(1),
                "write_address": Out(ADDRESS_BITS),
                "write_beats": Out(LENGTH_BITS),
                "write_idle": In(1),
                "out": Out(stream.Signature(BEAT)),
                "bank": Out(3),
                "row": Out(row),
                **{f"{name}_read": Out(1) for name in ("res", "xn", "qoh")},
                **{f"{name}_ready": In(1) for name in ("res", "xn", "qoh")},
                "res_data": In(RESIDUAL_WORD),
                "xn_data": In(ACTIVATION_WORD),
                "qoh_data": In(ACTIVATION_WORD),
                "in_bank": Out(3),
                "in_row": Out(row),
                "xn_start": Out(1),
                "xn_tokens": Out(TOKEN_BITS),
                "xn_units": Out(7),
                "xn_word": Out(ACTIVATION_WORD),
                "xn_valid": Out(1),
                "xn_room": In(1),
                "res_write": Out(1),
                "res_write_data": Out(RESIDUAL_WORD),
                "plan_token": Out(len(self.plan.token)),
                "plan_entry": In(len(self.plan.entry)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The three directions; one command at a time."""
        m = Module()
        m.submodules.input = self.input
        m.submodules.output = self.output
        m.submodules.plan = self.plan
        self.head, self.fields = header(self.word), operands(self.word, Op.DMA)
        writes, plan = (self.head["flags"] & Flag.WRITE) != 0, self.head["src"] == Store.PLAN
        self._inward(m, self.start & ~writes)
        begins = self._outward(m, self.start & writes, plan)
        m.d.comb += [self.output.start.eq(begins & ~plan), self.plan.start.eq(begins & plan)]
        return m

    def _inward(self, m: Module, start: Value) -> None:
        block: Any = self.input
        connect(m, self.beats, block.beats)
        m.d.comb += [
            block.start.eq(start),
            block.word.eq(self.word),
            block.half_tokens.eq(self.half_tokens),
            self.in_bank.eq(block.bank),
            self.in_row.eq(block.row),
            block.xn_room.eq(self.xn_room),
            self.res_write.eq(block.res_write),
            self.res_write_data.eq(block.res_data),
        ]
        for name in ("start", "tokens", "units", "word", "valid"):
            m.d.comb += getattr(self, f"xn_{name}").eq(getattr(block, f"xn_{name}"))

    def _outward(self, m: Module, start: Value, plan: Value) -> Value:
        """The region's size, then its beats, then the answers."""
        m.submodules.size = size = Product(len(self.fields["stride"]), TOKEN_BITS)
        base, begins, sends = Signal(ADDRESS_BITS), Signal(), Signal()
        m.d.comb += [
            size.start.eq(start),
            size.a.eq(self.fields["stride"]),
            size.b.eq(self.head["tokens"]),
            self.write_address.eq(base),
            self.write_beats.eq((size.p + (BEAT // 8 - 1)) >> _BEAT_SHIFT),
        ]
        m.d.sync += base.eq(
            self.bases[self.fields["base"]] + (self.fields["address"] << _UNIT_SHIFT)
        )
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | self.input.busy)
            with m.State("IDLE"):
                with m.If(start):
                    m.next = "SIZE"
            with m.State("SIZE"):
                m.d.comb += self.write_valid.eq(~size.busy)
                with m.If(self.write_valid & self.write_ready):
                    m.d.comb += begins.eq(1)
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += sends.eq(1)
                with m.If(self.output.done | self.plan.done):
                    m.next = "CLOSE"
            with m.State("CLOSE"):
                with m.If(self.write_idle):
                    m.next = "IDLE"
        self._stores(m)
        m.d.comb += [
            self.out.valid.eq(sends & Mux(plan, self.plan.out.valid, self.output.out.valid)),
            self.out.payload.eq(Mux(plan, self.plan.out.payload, self.output.out.payload)),
            self.output.out.ready.eq(self.out.ready & sends),
            self.plan.out.ready.eq(self.out.ready & sends & plan),
        ]
        return begins

    def _stores(self, m: Module) -> None:
        block, plan = self.output, self.plan
        m.d.comb += [
            block.word.eq(self.word),
            block.half_tokens.eq(self.half_tokens),
            self.bank.eq(block.bank),
            self.row.eq(block.row),
            plan.word.eq(self.word),
            self.plan_token.eq(plan.token),
            plan.entry.eq(self.plan_entry),
        ]
        for name in ("res", "xn", "qoh"):
            m.d.comb += [
                getattr(self, f"{name}_read").eq(getattr(block, f"{name}_read")),
                getattr(block, f"{name}_ready").eq(getattr(self, f"{name}_ready")),
                getattr(block, f"{name}_data").eq(getattr(self, f"{name}_data")),
            ]
