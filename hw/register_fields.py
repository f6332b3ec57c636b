"""What a register and a field are, and when a table of them is sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from m3vit.hw.errors import ConfigurationError

WORD_BYTES = 4
WORD_BITS = 32
SPACE_BYTES = 0x1000
"""Bytes of address space that the slave decodes; reads between registers give 0."""


class Access(str, Enum):
    """Who may do what."""

    READ = "ro"
    """Read-only; a write is ignored."""
    READ_WRITE = "rw"
    """Written by the host while the machine is idle, kept."""
    PULSE = "wo"
    """Each 1 written acts once and reads back as 0."""
    CLEAR = "rw1c"
    """A 1 written clears the bit."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits ``lsb`` to ``lsb + bits - 1`` of a register; its access is the register's unless set."""

    name: str
    lsb: int
    bits: int
    doc: str
    access: Access | None = None

    @property
    def mask(self) -> int:
        """Ones where the field lies."""
        return ((1 << self.bits) - 1) << self.lsb

    def get(self, word: int) -> int:
        """The field of ``word``."""
        return (word & self.mask) >> self.lsb

    def put(self, value: int) -> int:
        """``value`` where the field lies.

        Raises:
            ConfigurationError: it does not fit.
        """
        if not 0 <= value < 1 << self.bits:
            raise ConfigurationError(
                f"register field {self.name} is {value}, expected 0 to {(1 << self.bits) - 1}"
            )
        return value << self.lsb


@dataclass(frozen=True, kw_only=True)
class Register:
    """One 32-bit word."""

    name: str
    offset: int
    access: Access
    doc: str
    reset: int = 0
    fields: tuple[Field, ...] = ()
    identity: bool = False
    """Read-only constant that the machine's configuration gives."""

    def field(self, name: str) -> Field:
        """The field called ``name``.

        Raises:
            ConfigurationError: there is none.
        """
        for item in self.fields:
            if item.name == name:
                return item
        raise ConfigurationError(f"register {self.name} has no field {name!r}")


def check_table(registers: Sequence[Register]) -> None:
    """Refuse a table with overlaps, misaligned offsets or resets that do not fit.

    Raises:
        ConfigurationError: naming the register.
    """
    names: set[str] = set()
    taken: dict[int, str] = {}
    for register in registers:
        where = f"register {register.name} at {register.offset:#x}"
        if register.name in names:
            raise ConfigurationError(f"{where}: the name stands twice, expected distinct names")
        if register.offset % WORD_BYTES or not 0 <= register.offset < SPACE_BYTES:
            raise ConfigurationError(
                f"{where}: expected a multiple of {WORD_BYTES} below {SPACE_BYTES:#x}"
            )
        if register.offset in taken:
            raise ConfigurationError(f"{where}: overlaps {taken[register.offset]}")
        if not 0 <= register.reset < 1 << WORD_BITS:
            raise ConfigurationError(f"{where}: reset {register.reset:#x} has over 32 bits")
        names.add(register.name)
        taken[register.offset] = register.name
        _check_fields(register, where)


def _check_fields(register: Register, where: str) -> None:
    used = 0
    for item in register.fields:
        if item.bits < 1 or item.lsb < 0 or item.lsb + item.bits > WORD_BITS:
            raise ConfigurationError(f"{where}: field {item.name} is outside the word")
        if used & item.mask:
            raise ConfigurationError(f"{where}: field {item.name} overlaps another")
        used |= item.mask
