"""Rails read beside what runs: refused readings are dropped and counted."""

import time
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.power.hwmon import find_rails
from m3vit.host.power.sampler import FEWEST, SETTLE_S, Sampler, Samples
from m3vit.hw.errors import DeviceError
from tests.host.power.made import zcu104


def test_readings_follow_the_file(tmp_path: Path) -> None:
    rails = find_rails(zcu104(tmp_path / "hwmon"))[:2]
    power = rails[0].power
    assert power is not None
    with Sampler(rails, interval_s=0.001) as sampler:
        for microwatts in (1_000_000, 2_000_000):
            power.write_text(f"{microwatts}\n")
            time.sleep(0.05)
    seen = sampler.samples
    assert seen.names == ("ina226 3-0040 power1", "irps5401 3-0043 pin")
    assert {1.0, 2.0} <= set(seen.watts[:, 0]) and set(seen.watts[:, 1]) == {4.0}
    assert (np.diff(seen.times) > 0).all()


def test_refused_readings_are_counted(tmp_path: Path) -> None:
    rails = find_rails(zcu104(tmp_path / "hwmon"))[:1]
    power = rails[0].power
    assert power is not None
    power.unlink()
    with Sampler(rails, interval_s=0.001) as sampler:
        time.sleep(0.03)
    seen = sampler.samples
    assert len(seen.times) == 0 and seen.lost > 1 and seen.watts.shape == (0, 1)
    with pytest.raises(DeviceError, match="refused"):
        seen.settled()


def test_the_first_moments_are_left_out() -> None:
    times = np.arange(100) * 0.01
    seen = Samples(names=("a",), times=times, watts=times[:, None]).settled()
    assert seen.times[0] == pytest.approx(SETTLE_S) and len(seen.times) == 80
    short = Samples(names=("a",), times=times[:24], watts=times[:24, None])
    assert len(times[:24][times[:24] >= SETTLE_S]) < FEWEST
    with pytest.raises(DeviceError, match="measure longer with --seconds"):
        short.settled()


def test_shapes_are_checked() -> None:
    with pytest.raises(DeviceError, match="expected 3 readings of 1 rails"):
        Samples(names=("a",), times=np.zeros(3), watts=np.zeros((3, 2)))
