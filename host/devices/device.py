"""What every device can do: the integer reference, the machine in simulation, a board.

The runtime, the verbs and the notebooks know this interface and nothing else; only the name given
to ``open_device`` differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from m3vit.hw.formats import Int8, Int16, UInt8
from m3vit.hw.machine import MachineConfig
from m3vit.hw.package import Package
from m3vit.hw.records import Evidence
from m3vit.hw.routing import RoutingPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceRun:
    """What one image and task left behind."""

    result: Int16
    """[T, d]: the residual stream at 2^-f, as a head reads it."""
    phases: Mapping[str, float]
    """Seconds by phase: "in" (image to the device), "run", "out" (result back)."""
    plans: Mapping[int, RoutingPlan] = field(default_factory=dict)
    """Routing by block; empty where a device does not report it."""
    cycles: int | None = None
    """Cycles that the device counted; None where it has no clock."""
    saturations: int | None = None
    """Saturated residual additions; None where they are not counted."""
    dram_bytes: int | None = None
    """Bytes moved to and from external memory; None where they are not counted."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """Performance counters by name; empty where there are none."""
    evidence: Evidence = Evidence.SIMULATED
    """What the counts are worth."""
    trace: UInt8 | None = None
    """The trace buffer, if it was asked for; the package's trace map says what lies where."""


class Device(Protocol):
    """One machine.  Close it, or use it as a context manager, so that its buffers are freed."""

    @property
    def name(self) -> str:
        """What records call it."""

    @property
    def machine(self) -> MachineConfig:
        """The configuration that it was built for."""

    def load(self, package: Package) -> None:
        """Make ``package`` resident; several may be, and loading one again changes nothing.

        Raises:
            DigestMismatchError: the package was compiled for another machine.
            CommandError: a command lies outside the machine's limits.
        """

    def run(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> DeviceRun:
        """Run one image for one task.

        Args:
            package: a resident package.
            tiles: [T - 1, patch elements] from ``m3vit.hw.golden.embedding.patches``.
            task: the task's number, which chooses the gates.
            trace: whether to copy every layer's integers out as well.

        Raises:
            DeviceError: the package is not resident, the operands do not fit it, or the device
                failed.
        """

    def close(self) -> None:
        """Free every buffer; the device cannot be used any more."""

    def __enter__(self) -> "Device": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class QueueingDevice(Device, Protocol):
    """A device that works while the host does: the next image is submitted before one is read."""

    def submit(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> Any:
        """Queue an image; returns what ``collect`` takes.  See ``Device.run``."""

    def collect(self, ticket: Any) -> DeviceRun:
        """Wait for a submitted image.  See ``Device.run``."""
