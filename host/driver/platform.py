"""What the driver needs of whatever carries the machine: registers, buffers, a wait.

A simulation and a board implement it; neither knows the driver.
"""

from typing import Protocol

from m3vit.hw.formats import UInt8
from m3vit.hw.records import Evidence


class Buffer(Protocol):
    """Contiguous memory that the machine reaches; the host sees it through ``data``."""

    @property
    def address(self) -> int:
        """Where the machine finds it, a multiple of 64."""

    @property
    def data(self) -> UInt8:
        """The host's view; the two sides agree only after ``to_device`` or ``from_device``."""

    def to_device(self) -> None:
        """Make what the host wrote visible to the machine."""

    def from_device(self) -> None:
        """Make what the machine wrote visible to the host."""

    def free(self) -> None:
        """Give the memory back; a second call changes nothing."""


class Platform(Protocol):
    """One machine's surroundings.

    Every call raises ``DeviceError`` if the machine has gone (its process ended, its board is off).
    """

    @property
    def name(self) -> str:
        """What messages and records call the device."""

    @property
    def evidence(self) -> Evidence:
        """What a count of this machine's registers is worth."""

    @property
    def lock(self) -> str | None:
        """A name that two users of the same machine share; None where nobody else reaches it."""

    @property
    def slack_s(self) -> float:
        """Seconds of this machine's time that any run may take beyond what was expected."""

    @property
    def slice_s(self) -> float:
        """Seconds of this machine's time that may pass before a wait looks up."""

    def read(self, offset: int) -> int:
        """The 32-bit register at ``offset``."""

    def write(self, offset: int, value: int) -> None:
        """Set the 32-bit register at ``offset``."""

    def allocate(self, size: int) -> Buffer:
        """``size`` bytes, zeroed.

        Raises:
            DeviceError: there is no room for them.
        """

    def wait(self, seconds: float) -> bool:
        """Let time pass until the interrupt line is high, at most ``seconds`` of machine time.

        Returns whether it is high; a platform without interrupts may answer False early.
        """

    def close(self) -> None:
        """Let go of the machine; nothing else may be called any more."""
