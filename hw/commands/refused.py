"""The one sentence of a command that is refused."""

from m3vit.hw.commands.word import Command
from m3vit.hw.errors import CommandError


def refused(index: int, command: Command, what: str, got: object, expected: str) -> CommandError:
    """The error of command number ``index``: operand, value and limit."""
    return CommandError(
        f"command {index} ({command.op.name}): {what} is {got}, expected {expected}; "
        "recompile the package for this machine"
    )
