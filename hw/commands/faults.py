"""Every reason to refuse one command, found one by one; hardware finds the same (rtl/checks.py)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from m3vit.hw.commands.extent import ELEMENT_BYTES, reads_of, writes_of
from m3vit.hw.commands.fields import Base, Element, Flag, Op, Post, Store
from m3vit.hw.commands.rules import (
    BLOCKED,
    KINDS,
    ROUTES,
    SAME_TOKENS,
    TASK_LIMIT,
    attention_ranges,
    ranges,
)
from m3vit.hw.commands.word import Command
from m3vit.hw.cost.limits import STORE_ROW
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.layout.sizes import gate_bytes, panel_bytes
from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig

Windows = Mapping[Base, int]
"""Bytes that may be touched from each base register; no TRACE entry = tracing is off."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One reason to refuse a command; ``what`` is ``got``, expected ``expected``."""

    code: ErrorCode
    what: str
    got: object
    expected: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a command is compared with; ``config`` is the list's first command."""

    machine: MachineConfig
    windows: Windows
    config: Command
    task: int = 0


def is_traced(command: Command) -> bool:
    """Whether the command is skipped unless tracing is on."""
    return bool(command.flags & Flag.TRACE_ONLY)


def faults_of(command: Command, limits: Limits) -> Iterator[Fault]:
    """Every reason to refuse ``command``, whatever its place in the list."""
    if command.op is Op.CONFIG:
        yield from _identity(command, limits.machine)
    yield from _ranges(command, limits.machine)
    yield from _route(command)
    yield from _shape(command)
    yield from _tokens(command, limits)
    yield from _channels(command, limits)
    yield from _mixture(command, limits.config)
    yield from _stores(command, limits.machine)
    yield from _ring(command, limits.machine)
    yield from _windows(command, limits)


def _identity(command: Command, machine: MachineConfig) -> Iterator[Fault]:
    contract, digest = command["contract"], int(machine.digest[:16], 16)
    if contract != CONTRACT_VERSION:
        code = ErrorCode.CONTRACT_MISMATCH
        yield Fault(code=code, what="contract", got=contract, expected=f"{CONTRACT_VERSION}")
    if command["digest"] != digest:
        got, expected = f"{command['digest']:016x}", f"{digest:016x}"
        yield Fault(code=ErrorCode.MACHINE_MISMATCH, what="digest", got=got, expected=expected)


def _is_qkv(command: Command) -> bool:
    return command.op is Op.GEMM and command["post"] == Post.QKV


def _ranges(command: Command, machine: MachineConfig) -> Iterator[Fault]:
    more = attention_ranges(machine) if _is_qkv(command) else ()
    for limit in (*ranges(command.op, machine), *more):
        value = command[limit.field]
        if not limit.low <= value <= limit.high:
            expected = f"{limit.low} to {limit.high}"
            yield Fault(code=limit.code, what=limit.field, got=value, expected=expected)


def _route(command: Command) -> Iterator[Fault]:
    kind = command[KINDS[command.op]] if command.op in KINDS else None
    for route in ROUTES[command.op]:
        same = (route.src, route.dst, route.kind) == (command.src, command.dst, kind)
        if same and command.flags & ~route.optional == route.required:
            return
    got = f"{command.src.name}->{command.dst.name}, flags {int(command.flags)}"
    if kind is not None:
        names = {int(each): each.name for each in (Element if command.op is Op.DMA else Post)}
        got += f", {KINDS[command.op]} {names.get(kind, kind)}"
    yield _malformed("route", got, "stores, flags and format that the operation connects")


def _malformed(what: str, got: object, expected: str) -> Fault:
    return Fault(code=ErrorCode.MALFORMED_COMMAND, what=what, got=got, expected=expected)


def _shape(command: Command) -> Iterator[Fault]:
    """Relations inside a command."""
    if command.op is Op.DMA:
        yield from _rows(command)
    if _is_qkv(command) and command["outputs"] != command["heads"] * command["head_dim"]:
        expected = f"{command['heads'] * command['head_dim']} = heads x head_dim"
        yield _malformed("outputs", command["outputs"], expected)
    if command.op is Op.GEMM and command.flags & Flag.BLOCK_ORDER and not command["panels_group"]:
        yield _malformed("panels_group", 0, "1 or more")


def _rows(command: Command) -> Iterator[Fault]:
    """Rows follow each other in memory and are whole words of their store."""
    elements, element = command["elements"], Element(command["element"])
    if command["stride"] != elements * ELEMENT_BYTES[element]:
        expected = f"{elements * ELEMENT_BYTES[element]} = one row"
        yield _malformed("stride", command["stride"], expected)
    whole = {Element.PLAN: 1, Element.INT8: 32 if command.dst is Store.NONE else 16}
    if elements % whole.get(element, 16):
        yield _malformed("elements", elements, f"a multiple of {whole.get(element, 16)}")
    if element in (Element.INT8, Element.PLAN) and command["first_channel"]:
        yield _malformed("first_channel", command["first_channel"], "0")
    out = command.dst is Store.NONE
    if (command["base"] >= Base.RESULT) != out:
        bases = "RESULT or TRACE" if out else "PACKAGE or IMAGE"
        yield _malformed("base", Base(command["base"]).name, bases)
    if command.dst is Store.XN and command["first_token"]:
        yield _malformed("first_token", command["first_token"], "0")


def _tokens(command: Command, limits: Limits) -> Iterator[Fault]:
    """1 to CONFIG's tokens; all of them where a unit goes through all."""
    code, most = ErrorCode.TOKEN_LIMIT, limits.config.tokens
    least = 0 if command.op is Op.END else 1
    if command.op is Op.CONFIG:
        most = limits.machine.max_tokens
    elif command.op in SAME_TOKENS or _whole(command):
        least = most
    first = command["first_token"] if command.op in (Op.DMA, Op.GEMM) else 0
    end = first + command.tokens
    if command.tokens < least:
        yield Fault(code=code, what="tokens", got=command.tokens, expected=f"at least {least}")
    if end > most:
        yield Fault(code=code, what="tokens", got=end, expected=f"at most {most}")


def _whole(command: Command) -> bool:
    """DMA and GEMM of all tokens: all but rows of RES and of the plan, and shares of the image."""
    if command.op is Op.DMA:
        return command.src in (Store.XN, Store.QOH)
    shares = command.src is Store.XN and command.dst is Store.RES
    return command.op is Op.GEMM and not shares


def _channels(command: Command, limits: Limits) -> Iterator[Fault]:
    """Widths as in CONFIG; nothing is written beyond them."""
    code, width = ErrorCode.WIDTH_LIMIT, limits.config["width"]
    if command.op in (Op.NORM, Op.GATE, Op.EXPERTS) and command["width"] != width:
        expected = f"{width} as in CONFIG"
        yield Fault(code=code, what="width", got=command["width"], expected=expected)
    end = _end_channel(command)
    if end > width:
        yield Fault(code=code, what="last channel", got=end, expected=f"at most {width}")


def _mixture(command: Command, config: Command) -> Iterator[Fault]:
    """Experts and ranks as in CONFIG; no more ranks than experts, none beyond the plan's."""
    code, routed = ErrorCode.EXPERT_LIMIT, not command.flags & Flag.IDENTITY
    if command.op is Op.GATE or (command.op is Op.EXPERTS and routed):
        if command["experts"] != config["experts"]:
            expected = f"{config['experts']} as in CONFIG"
            yield Fault(code=code, what="experts", got=command["experts"], expected=expected)
    code, most = ErrorCode.TOP_K_LIMIT, config["top_k"]
    if command.op is Op.GATE:
        ranks = command["top_k"]
        if ranks != most:
            yield Fault(code=code, what="top_k", got=ranks, expected=f"{most} as in CONFIG")
        if ranks > command["experts"]:
            expected = f"at most {command['experts']}, its experts"
            yield Fault(code=code, what="top_k", got=ranks, expected=expected)
    if command.op is Op.DMA and command["element"] == Element.PLAN and command["elements"] > most:
        expected = f"at most {most} as in CONFIG"
        yield Fault(code=code, what="elements", got=command["elements"], expected=expected)


def _end_channel(command: Command) -> int:
    """Behind the last channel of the residual's width that is touched."""
    if command.op is Op.GEMM:
        return command["dst_channel"] + command["outputs"]
    if command.op is Op.ATTN:
        return command["channel"] + command["heads"] * command["head_dim"]
    if command.op is Op.DMA and Store.RES in (command.src, command.dst):
        return command["first_channel"] + command["elements"]
    return 0


def _store(what: str, got: int, most: int) -> Iterator[Fault]:
    if got > most:
        yield Fault(code=ErrorCode.STORE_LIMIT, what=what, got=got, expected=f"at most {most}")


def _stores(command: Command, machine: MachineConfig) -> Iterator[Fault]:
    """Rows of 128 channels; RES keeps even and odd tokens apart.  Pairs of a block."""
    names = {Op.CONFIG: "width", Op.NORM: "width", Op.GEMM: "inner", Op.EXPERTS: "hidden"}
    name = names.get(command.op)
    if command.op is Op.DMA and command["element"] == Element.INT8:
        name = "elements"
    if name is not None:
        tokens = command.tokens + (command.tokens & 1 if name == "width" else 0)
        rows = -(-machine.activation_bytes // STORE_ROW)
        needed = tokens * -(-command[name] // STORE_ROW)
        yield from _store(f"tokens x {name} / {STORE_ROW}", needed, rows)
    if command.op not in BLOCKED:
        return
    if command.pairs < 1:
        yield Fault(code=ErrorCode.STORE_LIMIT, what="pairs", got=0, expected="1 or more")
    yield from _store("pairs", command.pairs, machine.accumulator_pairs)
    if command.op is Op.ATTN:
        words = -(-command.tokens // max(machine.rows, machine.columns))
        yield from _store("pairs x score words", command.pairs * words, machine.score_words // 2)


def _ring(command: Command, machine: MachineConfig) -> Iterator[Fault]:
    """All panels that a token block uses stay in the ring."""
    for what, needed in _held(command, machine):
        if needed > machine.ring_bytes:
            yield Fault(
                code=ErrorCode.RING_LIMIT,
                what=what,
                got=needed,
                expected=f"at most {machine.ring_bytes}, the weight ring",
            )


def _held(command: Command, machine: MachineConfig) -> Iterator[tuple[str, int]]:
    if command.op is Op.GEMM:
        ordered = command.flags & Flag.BLOCK_ORDER
        panels = command["panels_group"] if ordered else 1
        yield "bytes of the panels of a group", panels * panel_bytes(machine, command["inner"])
    elif command.op is Op.GATE:
        # One panel goes token block by token block, several go pair by pair.
        yield "bytes of the gate", gate_bytes(machine, command["width"], command["experts"])
    elif command.op is Op.EXPERTS:
        yield "bytes of a panel", panel_bytes(machine, max(command["width"], command["hidden"]))


def _windows(command: Command, limits: Limits) -> Iterator[Fault]:
    code = ErrorCode.ADDRESS_WINDOW
    if command.op is Op.GATE and limits.task > TASK_LIMIT:
        yield Fault(code=code, what="task", got=limits.task, expected=f"at most {TASK_LIMIT}")
    if is_traced(command) and Base.TRACE not in limits.windows:
        return
    reads = reads_of(command, limits.machine, limits.task)
    for extent in (*reads, *writes_of(command)):
        most = limits.windows.get(extent.base, 0)
        if extent.end > most:
            what = f"address end in the {extent.base.name.lower()} window"
            yield Fault(code=code, what=what, got=extent.end, expected=f"at most {most}")
