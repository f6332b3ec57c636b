"""DMA to memory: rows of a store, read ahead into a queue, 16 bytes a cycle."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS, Element, Op, Store
from m3vit.hw.formats import RESIDUAL_BITS, RESIDUAL_GUARD_BITS
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import WORD_BITS as ACTIVATION_WORD
from m3vit.rtl.activations import Activations
from m3vit.rtl.command import header, operands
from m3vit.rtl.fifo import Fifo
from m3vit.rtl.library import lanes
from m3vit.rtl.passes import TOKEN_BITS
from m3vit.rtl.residual_store import WORD_BITS as RESIDUAL_WORD
from m3vit.rtl.residual_store import ResidualStore
from m3vit.rtl.row_walk import RowWalk

BEAT = 128
_QUEUE = 8


class DmaOut(Component):
    """``start`` executes the DMA command in ``word``, constant until ``done``: a word of RES, XN
    or QOH every other cycle as long as the queue has room.

    Ports: ``bank``, ``row`` with ``res_read``, ``xn_enable``, ``qoh_enable`` and what they grant;
    the stores' data (``ResidualStore.LATENCY``, ``Activations.SIDE_LATENCY`` cycles later);
    ``out``.
    """

    def __init__(self, machine: MachineConfig) -> None:
        self.machine, self.walk = machine, RowWalk(machine)
        super().__init__(
            {
                "start": In(1),
                "word": In(WORD_BITS),
                "half_tokens": In(TOKEN_BITS),
                "done": Out(1),
                "bank": Out(3),
                "row": Out(self.walk.row_bits),
                **{f"{name}_read": Out(1) for name in ("res", "xn", "qoh")},
                **{f"{name}_ready": In(1) for name in ("res", "xn", "qoh")},
                "res_data": In(RESIDUAL_WORD),
                "xn_data": In(ACTIVATION_WORD),
                "qoh_data": In(ACTIVATION_WORD),
                "out": Out(stream.Signature(BEAT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Read, collect, shift out."""
        m = Module()
        m.submodules.walk = self.walk
        m.submodules.queue = self.queue = Fifo(width=RESIDUAL_WORD, depth=_QUEUE)
        self.head, self.fields = header(self.word), operands(self.word, Op.DMA)
        self._read(m)
        self._send(m)
        return m

    def _read(self, m: Module) -> None:
        walk, source, fields = self.walk, self.head["src"], self.fields
        residual = source == Store.RES
        begins, room = Signal(), Signal(range(_QUEUE + 1), init=_QUEUE)
        m.d.sync += begins.eq(self.start)
        m.d.comb += [
            walk.start.eq(begins),
            walk.residual.eq(residual),
            walk.step.eq(Mux(residual, 1, 2)),
            walk.units.eq(fields["elements"] >> 4),
            walk.tokens.eq(self.head["tokens"]),
            walk.first_token.eq(fields["first_token"]),
            walk.first_channel.eq(fields["first_channel"]),
            walk.half_tokens.eq(self.half_tokens),
        ]
        pops = self.queue.r_valid & self.queue.r_ready
        popped = Signal()
        m.d.sync += [popped.eq(pops), room.eq(room + popped - walk.next)]
        late: Any = self._ask(m, walk.valid & (room != 0), source)
        stages = [late]
        for stage in range(Activations.SIDE_LATENCY):
            held = Signal(2, name=f"arrives{stage}")
            m.d.sync += held.eq(stages[-1])
            stages.append(held)
        late = Mux(residual, stages[ResidualStore.LATENCY], stages[Activations.SIDE_LATENCY])
        words = Mux(source == Store.XN, self.xn_data, self.qoh_data)
        m.d.comb += [
            self.queue.w_valid.eq(late[0]),
            self.queue.w_data.eq(Mux(residual, self.res_data, words)),
        ]
        self.last = Signal()
        with m.If(self.start):
            m.d.sync += self.last.eq(0)
        with m.Elif(late[1]):
            m.d.sync += self.last.eq(1)

    def _ask(self, m: Module, may: Value, source: Value) -> Value:
        """From registers, every other cycle at most: a word leaves in two beats or more.

        Granted, and granted the last one.
        """
        stores = {"res": Store.RES, "xn": Store.XN, "qoh": Store.QOH}
        asked = Signal(len(stores))
        ready = Cat(getattr(self, f"{name}_ready") for name in stores)
        for index, name in enumerate(stores):
            m.d.comb += getattr(self, f"{name}_read").eq(asked[index])
        granted, final = (asked & ready).any(), Signal()
        m.d.comb += self.walk.next.eq((asked == 0) & may)
        with m.If(asked == 0):
            m.d.sync += [self.bank.eq(self.walk.bank), self.row.eq(self.walk.row)]
            m.d.sync += final.eq(self.walk.end)
            m.d.sync += asked.eq(Cat(may & (source == store) for store in stores.values()))
        with m.Elif(granted):
            m.d.sync += asked.eq(0)
        return Cat(granted, granted & final)

    def _send(self, m: Module) -> None:
        """Words in memory's format, beat by beat; the next is taken with the last beat."""
        queue, wide = self.queue, self.fields["element"] == Element.INT32
        held, left, open_ = Signal(4 * BEAT, reset_less=True), Signal(3), Signal()
        leaves = self.out.valid & self.out.ready
        m.d.comb += [
            self.out.valid.eq(left != 0),
            self.out.payload.eq(held[:BEAT]),
            queue.r_ready.eq((left == 0) | ((left == 1) & leaves)),
            self.done.eq(open_ & self.last & ~queue.r_valid & (queue.level == 0) & (left == 0)),
        ]
        m.d.sync += open_.eq((open_ | self.start) & ~self.done)
        with m.If(queue.r_valid & queue.r_ready):
            m.d.sync += [held.eq(self._formatted(queue.r_data)), left.eq(Mux(wide, 4, 2))]
        with m.Elif(leaves):
            m.d.sync += [held.eq(held >> BEAT), left.eq(left - 1)]

    def _formatted(self, word: Value) -> Value:
        """RES as int32 or int16, the other stores as they are."""
        codes = [value.as_signed() for value in lanes(word, RESIDUAL_BITS)]
        narrow = Cat(_view(code) for code in codes)
        wide = Cat(Cat(code, code[-1].replicate(32 - RESIDUAL_BITS)) for code in codes)
        residual = self.head["src"] == Store.RES
        narrow_or_raw = Mux(residual, narrow, word[:ACTIVATION_WORD])
        return Mux(self.fields["element"] == Element.INT32, wide, narrow_or_raw)


def _view(code: Value) -> Value:
    """sat16(rshift(code, 2)), golden ``residual_view``."""
    half = (1 << RESIDUAL_GUARD_BITS) >> 1
    value = (code + half) >> RESIDUAL_GUARD_BITS
    highest = (1 << 15) - 1
    return Mux(value > highest, Const(highest, 16), value[:16])
