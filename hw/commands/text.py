"""Disassembly: commands as lines of text, and the reference page of the command set."""

from collections.abc import Sequence

from m3vit.hw.commands.fields import HEADER, SPECS, Base, Element, Op, Post
from m3vit.hw.commands.word import Command, used_bits

_NAMED = {
    name: {int(member): member.name.lower() for member in enum}
    for name, enum in (("base", Base), ("element", Element), ("post", Post))
}


def _operand(name: str, value: int) -> str:
    if name in _NAMED:
        return f"{name}={_NAMED[name].get(value, value)}"
    if name in ("address", "weights", "table", "gelu", "digest"):
        return f"{name}={value:#x}"
    return f"{name}={value}"


def disassemble(command: Command, index: int) -> str:
    """One line: index, operation, stores, tokens, operands, flags."""
    where = f"{command.src.name.lower()}->{command.dst.name.lower()}"
    head = f"{index:5} {command.op.name:8}{where:13} block={command.block} tokens={command.tokens}"
    blocks = f" pairs={command.pairs}" if command.pairs else ""
    operands = " ".join(_operand(name, value) for name, value in command.operands.items())
    flags = "".join(f" +{flag.name.lower()}" for flag in command.flags if flag.name)
    return f"{head}{blocks} {operands}{flags}"


def listing(commands: Sequence[Command]) -> str:
    """Every command, a line each."""
    return "\n".join(disassemble(command, index) for index, command in enumerate(commands))


def as_dict(command: Command, index: int) -> dict[str, object]:
    """Plain values of a command, for JSON."""
    return {
        "index": index,
        "op": command.op.name,
        "flags": [flag.name for flag in command.flags],
        "block": command.block,
        "src": command.src.name,
        "dst": command.dst.name,
        "tokens": command.tokens,
        "pairs": command.pairs,
        **command.operands,
    }


def reference() -> str:
    """The command set as a table: bits, names, units, meanings."""
    lines = ["header (64 bits of every command)"]
    offset = 0
    for item in HEADER:
        lines.append(f"  [{offset + item.bits - 1:3}:{offset:3}] {item.name:14} {item.doc}")
        offset += item.bits
    for op in Op:
        lines.append(f"{op.name} ({int(op)}): {SPECS[op].doc}; {used_bits(op)} bits used")
        offset = 64
        for item in SPECS[op].fields:
            unit = f" (x {item.unit})" if item.unit > 1 else ""
            lines.append(
                f"  [{offset + item.bits - 1:3}:{offset:3}] {item.name:14} {item.doc}{unit}"
            )
            offset += item.bits
    return "\n".join(lines)
