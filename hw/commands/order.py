"""Reordering switched off: the same commands, with experts fetched token by token."""

from collections.abc import Iterable
from dataclasses import replace

from m3vit.hw.commands.fields import Flag, Op
from m3vit.hw.commands.word import Command


def is_routed(command: Command) -> bool:
    """Whether the command runs the experts of a plan (not the chunks of a dense MLP)."""
    return command.op is Op.EXPERTS and not command.flags & Flag.IDENTITY


def is_token_order(commands: Iterable[Command]) -> bool:
    """Whether any experts run token by token."""
    return any(is_routed(one) and not one.flags & Flag.REORDER for one in commands)


def in_token_order(commands: Iterable[Command]) -> tuple[Command, ...]:
    """``commands`` without reordering: nothing is fetched before the plan is known."""
    off = ~(Flag.REORDER | Flag.SPECULATE)
    return tuple(
        replace(command, flags=command.flags & off) if is_routed(command) else command
        for command in commands
    )
