"""Commands of which a block reads some operands: the others are zero."""

from m3vit.hw.commands.fields import SPECS, Flag, Op
from m3vit.hw.commands.word import Command, encode


def command_of(op: Op, flags: int = 0, tokens: int = 0, **operands: int) -> Command:
    """``op`` with these operands."""
    fields = dict.fromkeys((field.name for field in SPECS[op].fields), 0)
    return Command(op=op, flags=Flag(flags), tokens=tokens, operands={**fields, **operands})


def word_of(command: Command) -> int:
    """Its 256 bits."""
    return int.from_bytes(encode(command), "little")
