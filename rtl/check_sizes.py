"""Checks of what a command needs of the stores, of the ring and of memory: products, in LUTs."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Value

from m3vit.hw.commands.fields import ADDRESS_UNIT, Base, Element, Flag, Op, Post
from m3vit.hw.commands.rules import TASK_LIMIT
from m3vit.hw.cost.limits import STORE_ROW
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.layout.sizes import gelu_bytes
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.check_rules import row_bytes
from m3vit.rtl.check_stages import Stages
from m3vit.rtl.command import Sizes
from m3vit.rtl.multiply import product

_ROW_BITS = (STORE_ROW - 1).bit_length()
_UNIT_BITS = (ADDRESS_UNIT - 1).bit_length()
_PRODUCTS = 6
"""Stage of the products."""


class SizeRules:
    """Faults of stores, ring and windows; ``windows`` by base in units of 64 bytes."""

    def __init__(
        self, stages: Stages, machine: MachineConfig, windows: Any, task: Value, trace: Value
    ) -> None:
        self.stages, self.machine, self.sizes = stages, machine, Sizes(machine)
        self.windows, self.task, self.trace = windows, task, trace
        self._stores()
        words = self._regions()
        self._extents(words)

    def _late(self, value: Value, stage: int, name: str) -> Value:
        return self.stages.later(value, stage - 1, name)

    def _is(self, op: Op, stage: int) -> Value:
        return self._late(self.stages.op(op), stage, f"is_{op.name.lower()}_{stage}")

    def _stores(self) -> None:
        """Rows of 128 channels, or the score words of a block of pairs."""
        stages, machine = self.stages, self.machine
        tokens = stages.head["tokens"]
        even = (tokens + 1) & ~1
        rows = stages.chosen(
            13,
            "rows",
            CONFIG=even,
            NORM=even,
            GEMM=tokens,
            EXPERTS=tokens,
            DMA=Mux(stages.field(Op.DMA, "element") == Element.INT8, tokens, 0),
            ATTN=stages.head["pairs"],
        )
        keys = max(machine.rows, machine.columns)
        channels = stages.chosen(
            13,
            "row_channels",
            CONFIG=stages.field(Op.CONFIG, "width") << 4,
            NORM=stages.field(Op.NORM, "width") << 4,
            GEMM=stages.field(Op.GEMM, "inner"),
            EXPERTS=stages.field(Op.EXPERTS, "hidden") << 4,
            DMA=stages.field(Op.DMA, "elements"),
            ATTN=tokens,
        )
        words = (channels + (keys - 1)) >> (keys - 1).bit_length()
        blocks = (channels + (STORE_ROW - 1)) >> _ROW_BITS
        factor = stages.held(Mux(self._is(Op.ATTN, 2), words, blocks)[:8], "row_blocks")
        needed = self._product(stages.held(rows, "rows_held"), factor, "store")
        depth, half = -(-machine.activation_bytes // STORE_ROW), machine.score_words // 2
        most = Mux(self._is(Op.ATTN, _PRODUCTS), half, depth)
        stages.fault(_PRODUCTS, ErrorCode.STORE_LIMIT, needed > most)

    def _product(self, value: Value, factor: Value, name: str) -> Value:
        return product(self.stages.m, value, factor, name, _PRODUCTS - 3)

    def _panels(self) -> tuple[Value, Value]:
        """In stage 3: panels of the first and the second product."""
        stages, groups = self.stages, self.machine.groups
        qkv = stages.field(Op.GEMM, "post") == Post.QKV
        heads = stages.field(Op.GEMM, "head_dim") * (3 * groups)
        natural = (stages.field(Op.GEMM, "outputs") + 15) >> 4
        units = stages.chosen(
            8,
            "units",
            GEMM=Mux(qkv, heads, natural)[:8],
            GATE=(stages.field(Op.GATE, "experts") + 7) >> 3,
            EXPERTS=stages.field(Op.EXPERTS, "hidden"),
        )
        second = stages.chosen(8, "second_units", EXPERTS=stages.field(Op.EXPERTS, "width"))
        ordered = stages.flag(Flag.BLOCK_ORDER)
        group = stages.chosen(
            8, "group", GEMM=Mux(ordered, stages.field(Op.GEMM, "panels_group"), 1)
        )
        first = Mux(self._is(Op.NORM, 2), 1, self.sizes.panels(units))
        other = Mux(self._is(Op.EXPERTS, 2), self.sizes.panels(second), group)
        return stages.held(first[:8], "panels"), stages.held(other[:8], "second_panels")

    def _panel_words(self) -> tuple[Value, Value]:
        """In stage 3: ring words of a panel of both products; of a LayerNorm table."""
        stages, sizes = self.stages, self.sizes
        width = stages.field(Op.EXPERTS, "width") << 4
        gemm = stages.field(Op.GEMM, "inner")
        inner = stages.chosen(
            13, "inner", GEMM=gemm, GATE=stages.field(Op.GATE, "width") << 4, EXPERTS=width
        )
        second = stages.chosen(
            13, "second_inner", GEMM=gemm, EXPERTS=stages.field(Op.EXPERTS, "hidden") << 4
        )
        table = stages.held(stages.field(Op.NORM, "width"), "norm_width")
        words = [(sizes.steps(each) << 3) + sizes.parameter_words for each in (inner, second)]
        first = Mux(self._is(Op.NORM, 2), sizes.norm(table), words[0])
        return stages.held(first[:12], "panel_words"), stages.held(words[1][:12], "second_words")

    def _regions(self) -> Value:
        """In stage 7: ring words that are streamed (of one expert); the ring's limit."""
        stages, ring = self.stages, self.machine.ring_bytes // self.machine.word_bytes
        panels, words = self._panels(), self._panel_words()
        first, second = (
            self._product(value, factor, name)
            for value, factor, name in zip(words, panels, ("region", "second"), strict=True)
        )
        code, at = ErrorCode.RING_LIMIT, _PRODUCTS
        stages.fault(at, code, self._is(Op.GEMM, at) & (second > ring))
        stages.fault(at, code, self._is(Op.GATE, at) & (first > ring))
        for each in words:
            stages.fault(3, code, self._is(Op.EXPERTS, 3) & (each > ring))
        return stages.held(first + Mux(self._is(Op.EXPERTS, at), second, 0), "streamed")

    def _extents(self, words: Value) -> None:
        """Addresses in units of 64 bytes."""
        stages = self.stages
        skipped = stages.flag(Flag.TRACE_ONLY) & ~self.trace
        total = stages.held(self._starts() + self._blocks(words), "end_address")
        base = stages.chosen(2, "base", DMA=stages.field(Op.DMA, "base"))
        window = stages.held(Array(self.windows)[stages.later(base, 6, "base")], "window")
        wanted = ~self._late(skipped, 9, "skipped") & ~self._late(stages.op(Op.END), 9, "ended")
        stages.fault(9, ErrorCode.ADDRESS_WINDOW, wanted & (total > window))
        gelu = -(-gelu_bytes(self.machine) // ADDRESS_UNIT)
        end = stages.held(stages.field(Op.EXPERTS, "gelu") + gelu, "gelu_end")
        beyond = end > self.windows[Base.PACKAGE]
        stages.fault(2, ErrorCode.ADDRESS_WINDOW, self._is(Op.EXPERTS, 2) & beyond)
        far = stages.op(Op.GATE) & (self.task > TASK_LIMIT)
        stages.fault(1, ErrorCode.ADDRESS_WINDOW, far)

    def _starts(self) -> Value:
        """In stage 8: first address, and the way to the last expert, the task's gate, the rows."""
        stages = self.stages
        factor = stages.chosen(
            12,
            "times",
            DMA=stages.head["tokens"],
            GATE=self.task[:8],
            EXPERTS=stages.field(Op.EXPERTS, "experts") - 1,
        )
        stride = stages.chosen(
            20,
            "stride",
            DMA=row_bytes(stages),
            GATE=stages.field(Op.GATE, "stride"),
            EXPERTS=stages.field(Op.EXPERTS, "stride"),
        )
        address = stages.chosen(
            32,
            "address",
            DMA=stages.field(Op.DMA, "address"),
            NORM=stages.field(Op.NORM, "table"),
            GEMM=stages.field(Op.GEMM, "weights"),
            GATE=stages.field(Op.GATE, "weights"),
            EXPERTS=stages.field(Op.EXPERTS, "weights"),
        )
        way = product(stages.m, stride, factor, "way", _PRODUCTS - 2)
        rows = (way + (ADDRESS_UNIT - 1)) >> _UNIT_BITS
        offset = stages.held(Mux(self._is(Op.DMA, _PRODUCTS), rows, way), "offset")
        return stages.held(stages.later(address, 5, "address") + offset, "start_address")

    def _blocks(self, words: Value) -> Value:
        """In stage 8: streamed units of 64 bytes, whole stream units."""
        unit = self.sizes.unit_words
        bits = (unit - 1).bit_length()
        units = (words + (unit - 1)) >> bits
        size = self.machine.stream_unit // ADDRESS_UNIT
        parts = (units << bit for bit in range(size.bit_length()) if size >> bit & 1)
        return self.stages.held(sum(parts, Const(0, 1)), "blocks")


def heads_width(stages: Stages) -> Value:
    """In stage 2: heads x head_dim / 16."""
    heads = stages.chosen(
        3,
        "heads",
        GEMM=stages.field(Op.GEMM, "heads"),
        ATTN=stages.field(Op.ATTN, "heads"),
    )
    size = stages.chosen(
        4,
        "head_dim",
        GEMM=stages.field(Op.GEMM, "head_dim"),
        ATTN=stages.field(Op.ATTN, "head_dim"),
    )
    parts = (Cat(Const(0, bit), Mux(heads[bit], size, 0)) for bit in range(3))
    return sum(parts, Const(0, 1))
