"""What a machine accepts: every command of a list, checked before anything moves.

The hardware makes the same checks (rtl/checks.py) and stops with the same error code and index; the
sentence is what the reference adds.  Rules are in rules.py, the faults of one command in faults.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from m3vit.hw.commands.faults import Fault, Limits, Windows, faults_of, is_traced
from m3vit.hw.commands.fields import Op
from m3vit.hw.commands.rules import LIST_LIMIT, PRECEDENCE
from m3vit.hw.commands.word import Command, read_word
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.errors import CommandError
from m3vit.hw.machine import MachineConfig

__all__ = ["Refusal", "Windows", "check_program", "first_error", "is_traced"]

_ENDS = "CONFIG first and END last only"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The first error of a list: what the registers ERROR and ERROR_COMMAND hold, and why."""

    code: ErrorCode
    index: int
    sentence: str


def check_program(
    commands: Sequence[Command], machine: MachineConfig, windows: Windows, task: int = 0
) -> None:
    """Check a whole list.

    Raises:
        CommandError: naming the first refused command, the operand, the value and the limit.
    """
    entries = ((command, False) for command in commands)
    refusal = _first(entries, len(commands), machine, windows, task)
    if refusal is not None:
        raise CommandError(refusal.sentence)


def first_error(
    words: Sequence[bytes], machine: MachineConfig, windows: Windows, task: int = 0
) -> Refusal | None:
    """The first error of a list as it lies in memory, 32 bytes a command.

    The command with the lowest index counts, and of its errors the first in PRECEDENCE.  A list
    that is too long is not read; one without END is refused at the index behind it.
    """
    return _first(map(read_word, words), len(words), machine, windows, task)


def _first(
    entries: Iterable[tuple[Command | None, bool]],
    count: int,
    machine: MachineConfig,
    windows: Windows,
    task: int,
) -> Refusal | None:
    if count > LIST_LIMIT:
        return _overrun(LIST_LIMIT, f"{count} commands, expected at most {LIST_LIMIT}")
    limits, command = None, None
    for index, (command, malformed) in enumerate(entries):
        if command is None:
            sentence = f"command {index}: unknown operation, recompile the package"
            return Refusal(code=ErrorCode.UNKNOWN_OPERATION, index=index, sentence=sentence)
        if limits is None and command.op is Op.CONFIG:
            limits = Limits(machine=machine, windows=windows, config=command, task=task)
        found = _faults(index, command, malformed, limits, index == count - 1)
        if found:
            return _refusal(index, command, min(found, key=lambda each: _rank(each.code)))
    if command is None or command.op is not Op.END:
        return _overrun(count, f"{_ENDS}, not found")
    return None


def _rank(code: ErrorCode) -> int:
    return PRECEDENCE.index(code)


def _faults(
    index: int, command: Command, malformed: bool, limits: Limits | None, last: bool
) -> list[Fault]:
    place: list[Fault] = []
    if malformed:
        code, expected = ErrorCode.MALFORMED_COMMAND, "zero"
        place.append(Fault(code=code, what="a reserved field", got="set", expected=expected))
    if (command.op is Op.CONFIG) != (index == 0):
        code = ErrorCode.CONFIG_NOT_FIRST
        place.append(Fault(code=code, what="position", got=index, expected=_ENDS))
    if command.op is Op.END and not last:
        code = ErrorCode.LIST_OVERRUN
        place.append(Fault(code=code, what="position", got=index, expected=_ENDS))
    return place if limits is None else [*place, *faults_of(command, limits)]


def _refusal(index: int, command: Command, fault: Fault) -> Refusal:
    return Refusal(
        code=fault.code,
        index=index,
        sentence=f"command {index} ({command.op.name}): {fault.what} is {fault.got}, expected "
        f"{fault.expected}; recompile the package for this machine",
    )


def _overrun(index: int, why: str) -> Refusal:
    return Refusal(
        code=ErrorCode.LIST_OVERRUN, index=index, sentence=f"command list: {why}, recompile it"
    )
