"""NVML through a library that is not the driver's: what is asked and how answers are read."""

import ctypes
from typing import Any

import pytest

from m3vit.hw.errors import ToolError
from m3vit.model.gpu.bench.nvml import Nvml, energy_of, idle_watts


class Library:
    """Counts energy in steps of 5 mJ a reading; refuses what ``broken`` names."""

    def __init__(self, broken: str = "") -> None:
        self.broken, self.energy = broken, 1000

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.answer(name, *arguments)

    def answer(self, name: str, *arguments: Any) -> int:
        if name == self.broken:
            return 3
        if name == "nvmlDeviceGetTotalEnergyConsumption":
            self.energy += 5
            self.write(arguments[-1], ctypes.c_ulonglong, self.energy)
        elif name == "nvmlDeviceGetClockInfo":
            self.write(arguments[-1], ctypes.c_uint, {0: 1755, 2: 2619}[arguments[1]])
        elif name == "nvmlDeviceGetPowerUsage":
            self.write(arguments[-1], ctypes.c_uint, 71_500)
        else:
            assert name in ("nvmlInit_v2", "nvmlDeviceGetHandleByIndex_v2")
        return 0

    @staticmethod
    def write(reference: Any, kind: Any, value: int) -> None:
        ctypes.cast(reference, ctypes.POINTER(kind))[0] = value


def test_state_is_read_in_its_units() -> None:
    state = Nvml(Library()).state()
    assert (state.clock_mhz, state.memory_clock_mhz, state.power_w) == (1755, 2619, 71.5)


def test_energy_is_shared_by_images_and_idle_is_stated() -> None:
    calls: list[int] = []
    energy = energy_of(Nvml(Library()), lambda: calls.append(1), 4, idle_w=2.0, seconds=0.01)
    images = 4 * len(calls)
    assert energy.per_image_mj == pytest.approx(5 / images)
    assert energy.idle_share_mj == pytest.approx(2e3 * energy.seconds / images)
    assert energy.seconds >= 0.01


def test_idle_power_is_energy_over_time() -> None:
    import time

    watts = idle_watts(Nvml(Library()), 0.05, time.sleep)
    assert 0.5 * 5e-3 / 0.05 <= watts <= 5e-3 / 0.05


@pytest.mark.parametrize("name", ["nvmlInit_v2", "nvmlDeviceGetPowerUsage"])
def test_a_refusal_names_the_call(name: str) -> None:
    with pytest.raises(ToolError, match=f"{name} failed with code 3"):
        Nvml(Library(broken=name)).state()


def test_an_absent_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    with pytest.raises(ToolError, match="install the NVIDIA driver"):
        Nvml()
