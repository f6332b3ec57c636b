"""The integer reference as a device: executes a package's commands on its memory image."""

import time
from types import TracebackType

import numpy as np

from m3vit.host.devices.device import DeviceRun
from m3vit.hw.commands.fields import Base
from m3vit.hw.errors import DeviceError
from m3vit.hw.executor.engine import Engine, Outcome, image_bytes
from m3vit.hw.formats import Int8, Int16, UInt8
from m3vit.hw.machine import MachineConfig
from m3vit.hw.package import Package


class ReferenceDevice:
    """A device without a clock whose integers are the definition of every other device's."""

    name = "reference"

    def __init__(self, machine: MachineConfig) -> None:
        self.machine = machine
        self._engines: dict[str, Engine] = {}
        self._open = True

    def load(self, package: Package) -> None:
        """See ``Device.load``: weights are unpacked once."""
        self._require_open()
        package.require_machine(self.machine)
        if package.digest not in self._engines:
            self._engines[package.digest] = Engine(
                package.commands, package.weights, package.machine
            )

    def run(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> DeviceRun:
        """See ``Device.run``; nothing survives from one run to the next."""
        engine = self._engine(package, tiles, task)
        started = time.perf_counter()
        memory = _buffers(package, tiles, trace)
        filled = time.perf_counter()
        outcome = engine.run(memory, task)
        finished = time.perf_counter()
        result = _result(package, memory[Base.RESULT])
        phases = {
            "in": filled - started,
            "run": finished - filled,
            "out": time.perf_counter() - finished,
        }
        return _device_run(result, phases, outcome, memory.get(Base.TRACE))

    def _engine(self, package: Package, tiles: Int8, task: int) -> Engine:
        self._require_open()
        if package.digest not in self._engines:
            raise DeviceError(f"package {package.path} is not resident on {self.name}; load it")
        config = package.config
        expected = (config.tokens - 1, config.patch_elements)
        if tiles.shape != expected or tiles.dtype != np.int8:
            raise DeviceError(
                f"patches are {tiles.dtype} {list(tiles.shape)}, expected int8 {list(expected)}"
            )
        if not 0 <= task < len(config.tasks):
            raise DeviceError(f"task is {task}, expected 0 to {len(config.tasks) - 1}")
        return self._engines[package.digest]

    def _require_open(self) -> None:
        if not self._open:
            raise DeviceError(f"device {self.name} is closed; open it again")

    def close(self) -> None:
        """Drop the unpacked weights."""
        self._engines.clear()
        self._open = False

    def __enter__(self) -> "ReferenceDevice":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()


def _buffers(package: Package, tiles: Int8, trace: bool) -> dict[Base, UInt8]:
    config = package.config
    memory: dict[Base, UInt8] = {
        Base.IMAGE: image_bytes(tiles),
        Base.RESULT: np.zeros(2 * config.tokens * config.width, np.uint8),
    }
    if trace:
        memory[Base.TRACE] = np.zeros(package.trace_bytes, np.uint8)
    return memory


def _result(package: Package, data: UInt8) -> Int16:
    rows = data.view("<i2").reshape(package.config.tokens, package.config.width)
    return rows.astype(np.int16)


def _device_run(
    result: Int16, phases: dict[str, float], outcome: Outcome, trace: UInt8 | None
) -> DeviceRun:
    return DeviceRun(
        result=result,
        phases=phases,
        plans=outcome.plans,
        saturations=outcome.saturations,
        trace=trace,
    )
