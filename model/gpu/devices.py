"""A GPU as a device of ``m3vit run``: ``cuda-int8`` equal to the reference, ``cuda`` in float.

The command line finds both by name; the methods are those of ``m3vit.host.devices.device``.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import torch

from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import Int8, Int16, UInt8
from m3vit.hw.machine import MachineConfig
from m3vit.hw.package import Package
from m3vit.hw.records import Evidence
from m3vit.hw.routing import RoutingPlan
from m3vit.model.gpu.integer_encoder import Encoded
from m3vit.model.gpu.passes import Pass, float_pass, prepare_integers

FLOAT_KIND = torch.float16
"""Eleven bits of mantissa against bfloat16's eight; a vision transformer's values fit its range."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GpuRun:
    """What one image and task left behind: the fields of ``DeviceRun``."""

    result: Int16
    phases: Mapping[str, float]
    plans: Mapping[int, RoutingPlan] = field(default_factory=dict)
    cycles: int | None = None
    saturations: int | None = None
    dram_bytes: int | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    evidence: Evidence = Evidence.SIMULATED
    trace: UInt8 | None = None


def require_cuda() -> torch.device:
    """The CUDA device.

    Raises:
        DeviceError: there is none.
    """
    if not torch.cuda.is_available():
        raise DeviceError(
            "no CUDA device: torch sees none on this machine; use --device reference, or install "
            "NVIDIA's driver and a CUDA build of torch"
        )
    return torch.device("cuda")


class GpuDevice:
    """Packages resident on one torch device, each made ready by ``prepare``."""

    def __init__(
        self,
        name: str,
        machine: MachineConfig,
        device: torch.device,
        prepare: Callable[[Package, torch.device], Pass],
    ) -> None:
        self.name, self.machine = name, machine
        self._device, self._prepare = device, prepare
        self._resident: dict[str, Pass] = {}

    def load(self, package: Package) -> None:
        """Make ``package`` resident; the machine that it was compiled for does not matter here."""
        if package.digest not in self._resident:
            self._resident[package.digest] = self._prepare(package, self._device)

    def run(self, package: Package, tiles: Int8, task: int, *, trace: bool = False) -> GpuRun:
        """One image for one task.

        Raises:
            DeviceError: the package is not resident, the operands do not fit, or a trace is asked.
        """
        encode = self._check(package, tiles, task, trace)
        started = time.perf_counter()
        inputs = torch.from_numpy(np.ascontiguousarray(tiles)).to(self._device)[None]
        self._wait()
        filled = time.perf_counter()
        encoded = encode(inputs, task)
        self._wait()
        finished = time.perf_counter()
        result = encoded.result[0].cpu().numpy()
        phases = {
            "in": filled - started,
            "run": finished - filled,
            "out": time.perf_counter() - finished,
        }
        return GpuRun(
            result=result,
            phases=phases,
            plans=_plans(encoded, package),
            saturations=int(encoded.saturations) if encoded.routings else None,
        )

    def _check(self, package: Package, tiles: Int8, task: int, trace: bool) -> Pass:
        config = package.config
        expected = (config.tokens - 1, config.patch_elements)
        if package.digest not in self._resident:
            raise DeviceError(f"package {package.path} is not resident on {self.name}; load it")
        if tiles.shape != expected or tiles.dtype != np.int8:
            raise DeviceError(
                f"patches are {tiles.dtype} {list(tiles.shape)}, expected int8 {list(expected)}"
            )
        if not 0 <= task < len(config.tasks):
            raise DeviceError(f"task is {task}, expected 0 to {len(config.tasks) - 1}")
        if trace:
            raise DeviceError(f"{self.name} records no layer trace; use --device reference")
        return self._resident[package.digest]

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def close(self) -> None:
        """Drop the weights."""
        self._resident.clear()

    def __enter__(self) -> "GpuDevice":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()


def _plans(encoded: Encoded, package: Package) -> dict[int, RoutingPlan]:
    experts = package.config.experts
    return {
        block: RoutingPlan.from_choices(
            routing.indices.cpu().numpy(), routing.weights.cpu().numpy(), experts=experts
        )
        for block, routing in encoded.routings.items()
    }


def open_integers(machine: MachineConfig) -> GpuDevice:
    """The device ``cuda-int8``.

    Raises:
        DeviceError: no CUDA device.
    """
    return GpuDevice("cuda-int8", machine, require_cuda(), prepare_integers)


def open_float(machine: MachineConfig, checkpoint: str = "") -> GpuDevice:
    """The device ``cuda`` or ``cuda:CHECKPOINT``.

    Raises:
        DeviceError: no CUDA device.
    """
    prepare = float_pass(Path(checkpoint) if checkpoint else None, FLOAT_KIND)
    return GpuDevice("cuda", machine, require_cuda(), prepare)
