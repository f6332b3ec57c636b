"""Whether what a command reads and writes fits the stores of the network that CONFIG states.

The compiler emits nothing else; the hardware does not look at these, so that a host that starts a
machine has to.
"""

from collections.abc import Callable, Mapping

from m3vit.hw.commands.extent import ELEMENT_BYTES
from m3vit.hw.commands.fields import Base, Element, Flag, Op, Post, Store
from m3vit.hw.commands.refused import refused
from m3vit.hw.commands.word import Command
from m3vit.hw.formats import SHIFT_LIMIT
from m3vit.hw.machine import MachineConfig

Bounds = list[tuple[str, int, int, int]]
"""(what, value, lowest, highest)."""

_WRITTEN: Mapping[Post, Store] = {
    Post.INT8: Store.QOH,
    Post.RESIDUAL: Store.RES,
    Post.QKV: Store.KV,
}
_READABLE = {Store.RES: (Element.INT16,), Store.XN: (Element.INT8,)}
_WRITABLE = {
    Store.RES: (Element.INT16, Element.INT32),
    Store.XN: (Element.INT8,),
    Store.QOH: (Element.INT8,),
    Store.PLAN: (Element.PLAN,),
}
"""Elements that each store is read from and written to DRAM in."""


def check_shapes(command: Command, index: int, config: Command, machine: MachineConfig) -> None:
    """Refuse ``command`` where it leaves a store, or moves data the wrong way.

    Raises:
        CommandError: naming the command, the operand, the value and the limit.
    """
    if command.op not in _BOUNDS:
        return
    if command.op is Op.DMA:
        _check_direction(command, index)
    if command.op is Op.GEMM:
        post = Post(command["post"])
        if command.dst is not _WRITTEN[post]:
            raise refused(index, command, "post", post.name, f"a post that fits {command.dst.name}")
    for what, value, low, high in _BOUNDS[command.op](command, config, machine):
        if not low <= value <= high:
            raise refused(index, command, what, value, f"{low} to {high}")


def _check_direction(command: Command, index: int) -> None:
    out, base = bool(command.flags & Flag.WRITE), Base(command["base"])
    table, store = (_WRITABLE, command.src) if out else (_READABLE, command.dst)
    other = command.dst if out else command.src
    if store not in table or other is not Store.NONE:
        route = f"{command.src.name}->{command.dst.name}"
        raise refused(index, command, "route", route, f"one store {'out' if out else 'in'}")
    element = Element(command["element"])
    if element not in table[store]:
        names = " or ".join(each.name for each in table[store])
        raise refused(index, command, "element", element.name, f"{names} for {store.name}")
    if (base in (Base.RESULT, Base.TRACE)) != out:
        bases = "RESULT or TRACE" if out else "PACKAGE or IMAGE"
        raise refused(index, command, "base", base.name, bases)


def _dma(command: Command, config: Command, machine: MachineConfig) -> Bounds:
    elements, store = command["elements"], command.src or command.dst
    row = elements * ELEMENT_BYTES[Element(command["element"])]
    last_token = command["first_token"] + command.tokens
    last_channel = command["first_channel"] + elements
    channels = machine.activation_bytes // max(1, last_token)
    if store is Store.PLAN:
        channels = config["top_k"]
    elif store is Store.RES:
        channels = config["width"]
    return [
        ("tokens", command.tokens, 1, config.tokens),
        ("elements", elements, 1, 1 << 12),
        ("stride", command["stride"], row if command.tokens > 1 else 0, 1 << 20),
        ("first_token + tokens", last_token, 1, config.tokens),
        ("first_channel + elements", last_channel, 1, channels),
    ]


def _norm(command: Command, config: Command, machine: MachineConfig) -> Bounds:
    return [
        ("tokens", command.tokens, 1, config.tokens),
        ("epsilon", command["epsilon"], 1, 1 << 32),  # the variance is never 0
    ]


def _gemm(command: Command, config: Command, machine: MachineConfig) -> Bounds:
    post, end = Post(command["post"]), command["dst_channel"] + command["outputs"]
    bounds = [("tokens", command.tokens, 1, config.tokens)]
    if post is Post.RESIDUAL:
        last = command["first_token"] + command.tokens
        bounds.append(("first_token + tokens", last, 1, config.tokens))
        bounds.append(("dst_channel + outputs", end, 1, config["width"]))
        return bounds
    room = machine.activation_bytes // config.tokens
    bounds.append(("dst_channel + outputs", end, 1, room))
    if post is Post.QKV:
        made = command["heads"] * command["head_dim"]
        bounds += [
            ("outputs", command["outputs"], max(1, made), made),
            ("shift_key", command["shift_key"], 1, SHIFT_LIMIT),
            ("shift_query", command["shift_query"], 1, SHIFT_LIMIT),
        ]
    return bounds


def _attn(command: Command, config: Command, machine: MachineConfig) -> Bounds:
    last = command["channel"] + command["heads"] * command["head_dim"]
    return [
        ("tokens", command.tokens, 1, config.tokens),
        ("channel + heads x head_dim", last, 1, config["width"]),
    ]


def _gate(command: Command, config: Command, machine: MachineConfig) -> Bounds:
    return [
        ("tokens", command.tokens, 1, config.tokens),
        ("experts", command["experts"], config["experts"], config["experts"]),
        ("top_k", command["top_k"], config["top_k"], config["top_k"]),
        ("top_k", command["top_k"], 1, command["experts"]),
    ]


def _experts(command: Command, config: Command, machine: MachineConfig) -> Bounds:
    return [
        ("tokens", command.tokens, 1, config.tokens),
        ("hidden", command["hidden"], 16, machine.activation_bytes // config.tokens),
    ]


_BOUNDS: Mapping[Op, Callable[[Command, Command, MachineConfig], Bounds]] = {
    Op.DMA: _dma,
    Op.NORM: _norm,
    Op.GEMM: _gemm,
    Op.ATTN: _attn,
    Op.GATE: _gate,
    Op.EXPERTS: _experts,
}
