"""Registers by name over a platform."""

from m3vit.host.driver.platform import Platform
from m3vit.hw.register_fields import WORD_BITS
from m3vit.hw.registers import BY_NAME, COUNTERS

_WORD = (1 << WORD_BITS) - 1


class RegisterFile:
    """The register table on a platform; the offsets stay here."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def read(self, name: str) -> int:
        """The register called ``name``."""
        return self._platform.read(BY_NAME[name].offset)

    def write(self, name: str, value: int) -> None:
        """Set the register called ``name``."""
        self._platform.write(BY_NAME[name].offset, value)

    def write_fields(self, name: str, **values: int) -> None:
        """Set a register field by field; those not named become 0."""
        register = BY_NAME[name]
        self.write(name, sum(register.field(each).put(value) for each, value in values.items()))

    def read_pair(self, name: str) -> int:
        """A 64-bit value, low word first: reading it holds the high one."""
        low = self.read(f"{name}_LO")
        return low | self.read(f"{name}_HI") << WORD_BITS

    def write_pair(self, name: str, value: int) -> None:
        """Set a 64-bit value."""
        self.write(f"{name}_LO", value & _WORD)
        self.write(f"{name}_HI", value >> WORD_BITS)

    def counters(self) -> dict[str, int]:
        """Every performance counter."""
        return {name: self.read_pair(f"COUNT_{name}") for name in COUNTERS}
