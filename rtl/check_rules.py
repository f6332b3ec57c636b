"""Checks of one command's own fields and against CONFIG: hw.commands.faults without sizes."""

from amaranth.hdl import Cat, Const, Mux, Value

from m3vit.hw.commands.extent import ELEMENT_BYTES
from m3vit.hw.commands.fields import SPECS, Element, Flag, Op, Post, Store
from m3vit.hw.commands.rules import (
    BLOCKED,
    KINDS,
    ROUTES,
    SAME_TOKENS,
    Range,
    Route,
    attention_ranges,
    ranges,
)
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig
from m3vit.rtl.check_stages import Stages

_SHIFTS = {element: size.bit_length() - 1 for element, size in ELEMENT_BYTES.items()}


def add_rules(stages: Stages, machine: MachineConfig, heads_width: Value) -> None:
    """Everything but sizes; ``heads_width``: heads x head_dim / 16 of the command, in stage 2."""
    _identity(stages, machine)
    _ranges(stages, machine)
    malformed = ErrorCode.MALFORMED_COMMAND
    stages.fault(1, malformed, stages.reserved() | ~_routed(stages))
    _shape(stages, heads_width)
    _rows(stages)
    _tokens(stages, machine)
    _channels(stages, heads_width)
    _mixture(stages)
    pairs = stages.head["pairs"]
    wrong = (pairs == 0) | (pairs > machine.accumulator_pairs)
    stages.fault(1, ErrorCode.STORE_LIMIT, stages.op(*BLOCKED) & wrong)


def is_qkv(stages: Stages) -> Value:
    """In stage 1: a GEMM that makes Q, K and V."""
    return stages.op(Op.GEMM) & (stages.field(Op.GEMM, "post") == Post.QKV)


def _identity(stages: Stages, machine: MachineConfig) -> None:
    config, digest = stages.op(Op.CONFIG), int(machine.digest[:16], 16)
    contract = stages.field(Op.CONFIG, "contract") != CONTRACT_VERSION
    stages.fault(1, ErrorCode.UNKNOWN_OPERATION, ~stages.op(*Op))
    stages.fault(1, ErrorCode.CONTRACT_MISMATCH, config & contract)
    # a quarter of the digest a register, the operation beside them
    own = stages.field(Op.CONFIG, "digest")
    differs = Cat(own[at : at + 16] != (digest >> at) & 0xFFFF for at in range(0, 64, 16))
    quarters = stages.held(differs, "digest_differs")
    is_config = stages.held(config, "is_config")
    stages.fault(2, ErrorCode.MACHINE_MISMATCH, is_config & quarters.any())


def _outside(stages: Stages, op: Op, limit: Range) -> Value:
    unit = next(field.unit for field in SPECS[op].fields if field.name == limit.field)
    value = stages.field(op, limit.field)
    return (value < -(-limit.low // unit)) | (value > limit.high // unit)


def _ranges(stages: Stages, machine: MachineConfig) -> None:
    for op in Op:
        for limit in ranges(op, machine):
            stages.fault(1, limit.code, stages.op(op) & _outside(stages, op, limit))
    for limit in attention_ranges(machine):
        stages.fault(1, limit.code, is_qkv(stages) & _outside(stages, Op.GEMM, limit))


def _routed(stages: Stages) -> Value:
    """Whether operation, stores, flags and format belong together."""
    return Cat(
        stages.op(op) & _takes(stages, op, route)
        for op, routes in ROUTES.items()
        for route in routes
    ).any()


def _takes(stages: Stages, op: Op, route: Route) -> Value:
    head = stages.head
    kept = head["flags"] & ~int(route.optional)
    same = (head["src"] == route.src) & (head["dst"] == route.dst) & (kept == int(route.required))
    return same if route.kind is None else same & (stages.field(op, KINDS[op]) == route.kind)


def _shape(stages: Stages, heads_width: Value) -> None:
    qkv, outputs = is_qkv(stages), stages.field(Op.GEMM, "outputs")
    ordered = stages.op(Op.GEMM) & stages.flag(Flag.BLOCK_ORDER)
    empty = stages.field(Op.GEMM, "panels_group") == 0
    differs = stages.held(outputs, "outputs") != Cat(Const(0, 4), heads_width)
    stages.fault(1, ErrorCode.MALFORMED_COMMAND, ordered & empty)
    stages.fault(2, ErrorCode.MALFORMED_COMMAND, stages.held(qkv, "is_qkv") & differs)


def _rows(stages: Stages) -> None:
    """Rows of DMA."""
    dma, code = stages.op(Op.DMA), ErrorCode.MALFORMED_COMMAND
    elements, element = stages.field(Op.DMA, "elements"), stages.field(Op.DMA, "element")
    narrow, plan = element == Element.INT8, element == Element.PLAN
    out = stages.head["dst"] == Store.NONE
    row = row_bytes(stages)
    part = (elements[:4].any() & ~plan) | (elements[4] & narrow & out)
    shifted = stages.field(Op.DMA, "first_channel").any() & (narrow | plan)
    late = stages.field(Op.DMA, "first_token").any() & (stages.head["dst"] == Store.XN)
    stages.fault(1, code, dma & (stages.field(Op.DMA, "stride") != row))
    astray = stages.field(Op.DMA, "base")[1] != out
    stages.fault(1, code, dma & (part | shifted | late | astray))


def row_bytes(stages: Stages) -> Value:
    """In stage 1: bytes of a row of DMA."""
    elements, element = stages.field(Op.DMA, "elements"), stages.field(Op.DMA, "element")
    value: Value = Const(0, len(elements) + max(_SHIFTS.values()))
    for kind, shift in _SHIFTS.items():
        value = value | Mux(element == kind, elements << shift, 0)
    return value


def _tokens(stages: Stages, machine: MachineConfig) -> None:
    """As hw.commands.faults: least, and most with the first token."""
    head, code = stages.head, ErrorCode.TOKEN_LIMIT
    reads_all = Cat(head["src"] == store for store in (Store.XN, Store.QOH)).any()
    share = (head["src"] == Store.XN) & (head["dst"] == Store.RES)
    whole = stages.op(*SAME_TOKENS) | (stages.op(Op.DMA) & reads_all)
    whole = whole | (stages.op(Op.GEMM) & ~share)
    few = (head["tokens"] == 0) & ~stages.op(Op.END)
    stages.fault(1, code, few | (whole & (head["tokens"] < stages.config["tokens"])))
    first = stages.chosen(
        12,
        "first_token",
        DMA=stages.field(Op.DMA, "first_token"),
        GEMM=stages.field(Op.GEMM, "first_token"),
    )
    end = stages.held(stages.held(head["tokens"], "tokens") + first, "end_token")
    config = stages.later(stages.op(Op.CONFIG), 2, "config_late")
    most = Mux(config, machine.max_tokens, stages.config["tokens"])
    stages.fault(3, code, end > most)


def _channels(stages: Stages, heads_width: Value) -> None:
    code, same = ErrorCode.WIDTH_LIMIT, (Op.NORM, Op.GATE, Op.EXPERTS)
    for op in same:
        differs = stages.field(op, "width") != stages.config["width"]
        stages.fault(1, code, stages.op(op) & differs)
    residual = Cat(stages.head[side] == Store.RES for side in ("src", "dst")).any()
    elements = stages.field(Op.DMA, "elements")
    start = stages.chosen(
        8,
        "first_channel",
        GEMM=stages.field(Op.GEMM, "dst_channel"),
        ATTN=stages.field(Op.ATTN, "channel"),
        DMA=Mux(residual, stages.field(Op.DMA, "first_channel"), 0),
    )
    extent = stages.chosen(
        13,
        "channels",
        GEMM=stages.field(Op.GEMM, "outputs"),
        DMA=Mux(residual, elements, 0),
    )
    attention = stages.held(stages.op(Op.ATTN), "is_attention")
    more = Mux(attention, Cat(Const(0, 4), heads_width), extent)
    end = stages.held(Cat(Const(0, 4), start) + more, "end_channel")
    stages.fault(3, code, end > Cat(Const(0, 4), stages.config["width"]))


def _mixture(stages: Stages) -> None:
    """Experts and ranks against CONFIG."""
    experts, top_k = stages.config["experts"], stages.config["top_k"]
    for op, routed in ((Op.GATE, Const(1, 1)), (Op.EXPERTS, ~stages.flag(Flag.IDENTITY))):
        differs = stages.field(op, "experts") != experts
        stages.fault(1, ErrorCode.EXPERT_LIMIT, stages.op(op) & routed & differs)
    ranks = stages.field(Op.GATE, "top_k")
    above = (ranks != top_k) | (ranks > stages.field(Op.GATE, "experts"))
    stages.fault(1, ErrorCode.TOP_K_LIMIT, stages.op(Op.GATE) & above)
    plan = stages.op(Op.DMA) & (stages.field(Op.DMA, "element") == Element.PLAN)
    many = stages.field(Op.DMA, "elements") > top_k
    stages.fault(1, ErrorCode.TOP_K_LIMIT, plan & many)
