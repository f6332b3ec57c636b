"""What a command may say, as tables: reference and hardware make their checks from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from m3vit.hw.commands.fields import HEADS_IN_FLIGHT, Element, Flag, Op, Post, Store
from m3vit.hw.cost.stores import HEAD_DIM_LIMIT
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.formats import SHIFT_LIMIT
from m3vit.hw.machine import MachineConfig

LIST_LIMIT = 512
"""Commands of one list: what the hardware keeps."""

TASK_LIMIT = 255
"""Highest number of a task."""

IMAGE_WIDTH = 768
"""Bytes of a patch of 16 x 16 pixels: the longest row of XN, whatever the machine's width."""

PRECEDENCE = (
    ErrorCode.UNKNOWN_OPERATION,
    ErrorCode.CONFIG_NOT_FIRST,
    ErrorCode.CONTRACT_MISMATCH,
    ErrorCode.MACHINE_MISMATCH,
    ErrorCode.MALFORMED_COMMAND,
    ErrorCode.TOKEN_LIMIT,
    ErrorCode.HEAD_LIMIT,
    ErrorCode.EXPERT_LIMIT,
    ErrorCode.TOP_K_LIMIT,
    ErrorCode.WIDTH_LIMIT,
    ErrorCode.STORE_LIMIT,
    ErrorCode.RING_LIMIT,
    ErrorCode.ADDRESS_WINDOW,
    ErrorCode.LIST_OVERRUN,
)
"""Which error a command with several of them is refused with: the first of these."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """An operand's lowest and highest value in natural units."""

    field: str
    low: int
    high: int
    code: ErrorCode


@dataclass(frozen=True, kw_only=True)
class Route:
    """Stores that an operation connects, with the operand and the flags that go with them."""

    src: Store = Store.NONE
    dst: Store = Store.NONE
    kind: int | None = None
    """Value of the operand that :data:`KINDS` names."""
    required: Flag = Flag(0)
    optional: Flag = Flag(0)


KINDS: Mapping[Op, str] = MappingProxyType({Op.DMA: "element", Op.GEMM: "post"})
"""The operand that a route fixes."""


def _out(src: Store, kind: Element) -> Route:
    """A store written to memory."""
    return Route(src=src, kind=kind, required=Flag.WRITE, optional=Flag.TRACE_ONLY)


ROUTES: Mapping[Op, tuple[Route, ...]] = MappingProxyType(
    {
        Op.CONFIG: (Route(),),
        Op.DMA: (
            Route(dst=Store.RES, kind=Element.INT16),
            Route(dst=Store.XN, kind=Element.INT8),
            _out(Store.RES, Element.INT16),
            _out(Store.RES, Element.INT32),
            _out(Store.XN, Element.INT8),
            _out(Store.QOH, Element.INT8),
            _out(Store.PLAN, Element.PLAN),
        ),
        Op.NORM: (Route(src=Store.RES, dst=Store.XN),),
        Op.GEMM: (
            Route(src=Store.XN, dst=Store.QOH, kind=Post.INT8, optional=Flag.BLOCK_ORDER),
            *(
                Route(
                    src=src,
                    dst=Store.RES,
                    kind=Post.RESIDUAL,
                    required=Flag.ADD,
                    optional=Flag.BLOCK_ORDER,
                )
                for src in (Store.XN, Store.QOH)
            ),
            Route(src=Store.XN, dst=Store.KV, kind=Post.QKV, optional=Flag.BLOCK_ORDER),
        ),
        Op.ATTN: (Route(src=Store.KV, dst=Store.QOH),),
        Op.GATE: (Route(src=Store.XN, dst=Store.PLAN),),
        Op.EXPERTS: (
            Route(
                src=Store.XN,
                dst=Store.RES,
                required=Flag.ADD,
                optional=Flag.IDENTITY | Flag.SPECULATE | Flag.REORDER,
            ),
        ),
        Op.END: (Route(optional=Flag.INTERRUPT),),
    }
)
"""Only dumps may be trace-only: the stream of weights is the same with tracing and without."""

SAME_TOKENS = (Op.NORM, Op.ATTN, Op.GATE, Op.EXPERTS)
"""Operations on all of the image's tokens."""

BLOCKED = (Op.GEMM, Op.ATTN, Op.GATE, Op.EXPERTS)
"""Operations that go through the tokens in blocks of ``pairs``."""


def longest(machine: MachineConfig) -> int:
    """Most channels of a row of XN or QOH."""
    return max(machine.max_width, IMAGE_WIDTH)


def ranges(op: Op, machine: MachineConfig) -> tuple[Range, ...]:
    """Limits of single operands."""
    malformed, wide = ErrorCode.MALFORMED_COMMAND, ErrorCode.WIDTH_LIMIT
    width = Range(field="width", low=16, high=machine.max_width, code=wide)
    experts = Range(field="experts", low=1, high=machine.max_experts, code=ErrorCode.EXPERT_LIMIT)
    head_dim = Range(field="head_dim", low=16, high=HEAD_DIM_LIMIT, code=ErrorCode.HEAD_LIMIT)
    heads = Range(field="heads", low=1, high=machine.groups, code=ErrorCode.HEAD_LIMIT)

    def top_k(low: int, high: int) -> Range:
        return Range(field="top_k", low=low, high=high, code=ErrorCode.TOP_K_LIMIT)

    def shift(field: str, low: int = 1, high: int = SHIFT_LIMIT) -> Range:
        return Range(field=field, low=low, high=high, code=malformed)

    def channels(field: str, low: int, high: int) -> Range:
        return Range(field=field, low=low, high=high, code=wide)

    return {
        Op.CONFIG: (
            width,
            Range(field="heads", low=1, high=machine.max_width // 16, code=ErrorCode.HEAD_LIMIT),
            Range(field="experts", low=0, high=machine.max_experts, code=experts.code),
            top_k(0, machine.max_top_k),
        ),
        Op.DMA: (channels("elements", 1, longest(machine)),),
        Op.NORM: (shift("epsilon", 1, (1 << 32) - 1), shift("shift", 0), width),
        Op.GEMM: (
            shift("shift"),
            Range(field="post", low=0, high=len(Post) - 1, code=malformed),
            channels("inner", 1, longest(machine)),
            channels("outputs", 1, machine.max_width),
        ),
        Op.ATTN: (
            *(shift(f"gain_shift{i}", 0, 6) for i in range(HEADS_IN_FLIGHT)),
            heads,
            head_dim,
        ),
        Op.GATE: (width, experts, top_k(1, machine.max_top_k)),
        Op.EXPERTS: (
            shift("shift1"),
            shift("shift2"),
            width,
            channels("hidden", 16, longest(machine)),
            experts,
            top_k(1, machine.max_experts),
        ),
        Op.END: (),
    }[op]


def attention_ranges(machine: MachineConfig) -> tuple[Range, ...]:
    """Further limits of a GEMM that makes Q, K and V."""
    return (
        Range(field="shift_key", low=1, high=SHIFT_LIMIT, code=ErrorCode.MALFORMED_COMMAND),
        Range(field="shift_query", low=1, high=SHIFT_LIMIT, code=ErrorCode.MALFORMED_COMMAND),
        *(each for each in ranges(Op.ATTN, machine) if each.field in ("heads", "head_dim")),
    )
