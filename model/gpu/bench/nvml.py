"""Energy, power, clocks and memory from NVIDIA's management library, without a package for it.

Functions and structures: NVML API reference, nvmlDeviceGetTotalEnergyConsumption and others.
"""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from m3vit.hw.errors import ToolError

_GRAPHICS, _MEMORY = 0, 2
_OK = 0


@dataclass(frozen=True, kw_only=True)
class State:
    """What the device says of itself at one moment."""

    clock_mhz: int
    memory_clock_mhz: int
    power_w: float


class Nvml:
    """One device's counters.

    Args:
        library: the loaded library, found by name if None.
        index: number of the device.

    Raises:
        ToolError: the library or the device is not there, or a call fails.
    """

    def __init__(self, library: Any = None, index: int = 0) -> None:
        try:
            self._library = library or ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as error:
            raise ToolError(f"NVML is not there ({error}); install the NVIDIA driver") from error
        self._call("nvmlInit_v2")
        self._device = ctypes.c_void_p()
        self._call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(self._device))

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(*arguments)
        if code != _OK:
            raise ToolError(f"NVML: {name} failed with code {code}, expected 0; see nvidia-smi")

    def _read(self, name: str, kind: Any, *before: int) -> int:
        value = kind()
        self._call(name, self._device, *before, ctypes.byref(value))
        return int(value.value)

    def energy_mj(self) -> float:
        """Millijoules since the driver was loaded."""
        return float(self._read("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong))

    def state(self) -> State:
        """Clocks and power now."""
        clocks = [
            self._read("nvmlDeviceGetClockInfo", ctypes.c_uint, kind)
            for kind in (_GRAPHICS, _MEMORY)
        ]
        power = self._read("nvmlDeviceGetPowerUsage", ctypes.c_uint)
        return State(clock_mhz=clocks[0], memory_clock_mhz=clocks[1], power_w=power / 1e3)


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of one image, and what the idle device would have drawn meanwhile."""

    per_image_mj: float
    idle_share_mj: float
    """Part of ``per_image_mj`` that an idle device draws in the same time."""
    idle_w: float
    seconds: float


def idle_watts(
    nvml: Nvml, seconds: float = 3.0, sleep: Callable[[float], None] = time.sleep
) -> float:
    """Mean power of the device while nothing runs on it."""
    before, started = nvml.energy_mj(), time.perf_counter()
    sleep(seconds)
    return (nvml.energy_mj() - before) / 1e3 / (time.perf_counter() - started)


def energy_of(
    nvml: Nvml, call: Callable[[], object], images: int, idle_w: float, seconds: float = 3.0
) -> Energy:
    """Energy of ``call``, repeated for at least ``seconds`` (the counter moves in steps).

    ``call`` runs ``images`` images and waits for their end.
    """
    calls, before, started = 0, nvml.energy_mj(), time.perf_counter()
    while time.perf_counter() - started < seconds:
        call()
        calls += 1
    elapsed = time.perf_counter() - started
    used = nvml.energy_mj() - before
    return Energy(
        per_image_mj=used / (calls * images),
        idle_share_mj=idle_w * 1e3 * elapsed / (calls * images),
        idle_w=idle_w,
        seconds=elapsed,
    )
