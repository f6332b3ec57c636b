"""What the machine says about itself, as words for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from m3vit.host.driver.register_file import RegisterFile
from m3vit.hw.commands.word import Command
from m3vit.hw.error_codes import SENTENCES, ErrorCode
from m3vit.hw.registers import BY_NAME

_STATUS = BY_NAME["STATUS"]
_FLAGS = ("IDLE", "BUSY", "DONE", "ERROR")


@dataclass(frozen=True, kw_only=True)
class MachineState:
    """A look at the status registers."""

    status: int
    code: int
    error_command: int
    command: int
    counters: Mapping[str, int]

    @classmethod
    def of(cls, registers: RegisterFile) -> "MachineState":
        """Read everything."""
        return cls(
            status=registers.read("STATUS"),
            code=BY_NAME["ERROR"].field("CODE").get(registers.read("ERROR")),
            error_command=registers.read("ERROR_COMMAND"),
            command=registers.read("COMMAND_INDEX"),
            counters=registers.counters(),
        )

    def flag(self, name: str) -> bool:
        """A bit of the status register."""
        return bool(_STATUS.field(name).get(self.status))

    @property
    def block(self) -> int:
        """Transformer block of the command being executed."""
        return _STATUS.field("BLOCK").get(self.status)

    @property
    def sentence(self) -> str:
        """The error in words."""
        known = self.code in ErrorCode.__members__.values()
        return SENTENCES[ErrorCode(self.code)] if known else f"unknown error code {self.code}"

    def describe(self, commands: tuple[Command, ...]) -> str:
        """Status, error, command and counters in one line."""
        flags = "+".join(flag for flag in _FLAGS if self.flag(flag)) or "none"
        counts = ", ".join(f"{name} {count}" for name, count in self.counters.items() if count)
        return (
            f"status {flags} ({self.status:#x}), error {self.code} ({self.sentence}), "
            f"{name_of(self.command, commands)}, counters {counts or 'all zero'}"
        )


def name_of(index: int, commands: tuple[Command, ...]) -> str:
    """A command for people: index, operation, block."""
    if index >= len(commands):
        return f"command {index} of {len(commands)}"
    command = commands[index]
    return f"command {index} of {len(commands)} ({command.op.name}, block {command.block})"
