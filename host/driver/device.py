"""The accelerator as a device of the runtime, whatever platform carries it."""

from types import TracebackType

import numpy as np

from m3vit.host.devices.device import DeviceRun
from m3vit.host.driver.accelerator import Accelerator, Run, Ticket
from m3vit.host.driver.traced import plans_of
from m3vit.hw.commands.check import check_program
from m3vit.hw.commands.fields import Base
from m3vit.hw.errors import ConfigurationError, DeviceError
from m3vit.hw.formats import Int8, UInt8
from m3vit.hw.machine import MachineConfig
from m3vit.hw.package import Package
from m3vit.hw.routing import RoutingPlan


class AcceleratorDevice:
    """See ``m3vit.host.devices.device``; ``submit`` and ``collect`` overlap host and machine."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator

    @property
    def name(self) -> str:
        """What records call it."""
        return self.accelerator.platform.name

    @property
    def machine(self) -> MachineConfig:
        """The configuration that the bitstream has."""
        return self.accelerator.machine

    def load(self, package: Package) -> None:
        """See ``Device.load``."""
        package.require_machine(self.machine)
        windows = {Base.PACKAGE: len(package.weights), Base.IMAGE: 1 << 62, Base.RESULT: 1 << 62}
        check_program(package.commands, package.machine, windows)
        self.accelerator.load(package)

    def submit(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> Ticket:
        """Queue an image; up to ``m3vit.host.driver.accelerator.SLOTS`` may be under way.

        Raises:
            DeviceError: the package is not resident, the operands do not fit it, the queue is
                full, or there is no room for the trace.
        """
        config = package.config
        expected = (config.tokens - 1, config.patch_elements)
        if tiles.shape != expected or tiles.dtype != np.int8:
            raise DeviceError(
                f"patches are {tiles.dtype} {list(tiles.shape)}, expected int8 {list(expected)}"
            )
        if not 0 <= task < len(config.tasks):
            raise DeviceError(f"task is {task}, expected 0 to {len(config.tasks) - 1}")
        return self.accelerator.submit(package, tiles, task, trace=trace)

    def collect(self, ticket: Ticket) -> DeviceRun:
        """Wait for a submitted image.

        Raises:
            DeviceError: the machine failed.
        """
        return self._device_run(ticket.job.resident.package, self.accelerator.collect(ticket))

    def run(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> DeviceRun:
        """See ``Device.run``."""
        return self.collect(self.submit(package, tiles, task, trace=trace))

    def _device_run(self, package: Package, run: Run) -> DeviceRun:
        counters = run.state.counters
        beats = counters["READ_BEATS"] + counters["WRITE_BEATS"]
        return DeviceRun(
            result=run.result,
            phases=run.phases,
            plans=_plans(package, run.trace),
            cycles=counters["CYCLES"],
            saturations=counters["SATURATIONS"],
            dram_bytes=beats * (self.machine.port_bits // 8),
            counters=counters,
            evidence=self.accelerator.platform.evidence,
            trace=run.trace,
        )

    def close(self) -> None:
        """Free every buffer and let go of the machine."""
        self.accelerator.close()

    def __enter__(self) -> "AcceleratorDevice":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()


def _plans(package: Package, trace: UInt8 | None) -> dict[int, RoutingPlan]:
    """Routing, if a trace holds it; a wrong machine's records may be none (``m3vit verify``)."""
    try:
        return {} if trace is None else plans_of(package, trace)
    except ConfigurationError:
        return {}
