"""Waves of a window of a run's cycles, from a simulator that is built for it."""

import re
from pathlib import Path

import pytest

from m3vit.host.driver.accelerator import Accelerator
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.hw.errors import DeviceError
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.sim.rtl.platform import open_platform
from tests.support.packages import MICRO, compiled
from tests.support.random_models import random_image

MACHINE = machine_preset("mini")
FIRST, LAST = 500, 520


@pytest.mark.slow
def test_a_window_of_cycles_is_written(tmp_path: Path) -> None:
    _, package = compiled(tmp_path / "package")
    platform = open_platform(MACHINE, {"waves": 1})
    path = tmp_path / "window.vcd"
    with AcceleratorDevice(Accelerator(platform, MACHINE)) as device:
        device.load(package)
        platform.waves(path, FIRST, LAST)
        run = device.run(package, patches(random_image(MICRO, 1), MICRO.patch), 0)
        with pytest.raises(DeviceError, match="cannot write waves"):
            platform.waves(tmp_path / "absent" / "window.vcd")
    assert run.cycles is not None and run.cycles > LAST
    text = path.read_text()
    times = [int(time) for time in re.findall(r"^#(\d+)$", text, re.MULTILINE)]
    assert times == list(range(times[0], times[0] + 2 * (LAST - FIRST)))
    assert re.search(r"\$var wire +\d+ \S+ ring_data", text), "no inner signal"
    clock = re.search(r"\$var wire +1 (\S+) clk \$end", text)
    assert clock is not None
    edges = re.findall(rf"^([01]){re.escape(clock[1])}$", text, re.MULTILINE)
    assert edges == ["0", "1"] * (LAST - FIRST)
