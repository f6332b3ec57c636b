"""Energy from recorded readings equals what was put in, with its error, in closed form."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.host.power.energy import energy_of
from m3vit.host.power.sampler import Samples
from m3vit.hw.errors import DeviceError

RAILS = ("12V", "aux")


def _samples(watts: float, noise: float = 0.0, seed: int = 0, names: tuple[str, ...] = RAILS):  # type: ignore[no-untyped-def]
    """Two seconds at ``watts`` on the first rail and a quarter of it on the second."""
    times = np.arange(100) * 0.02
    steps = np.random.default_rng(seed).standard_normal((100, 2)) * noise
    return Samples(names=names, times=times, watts=np.array([watts, watts / 4]) + steps)


@given(st.floats(0.1, 50), st.floats(0, 50), st.integers(1, 10_000), st.floats(0.5, 100))
def test_constant_powers_are_exact(idle: float, work: float, images: int, seconds: float) -> None:
    found = energy_of(_samples(idle), _samples(idle + work), _samples(idle), images, seconds)
    expected = 1e3 * 1.25 * work * seconds / images
    assert found.net_mj == pytest.approx(expected, rel=1e-9, abs=1e-8 * seconds / images * 1e3)
    assert found.gross_mj == pytest.approx(1e3 * 1.25 * (idle + work) * seconds / images, rel=1e-9)
    assert found.error_mj <= 1e-9 * found.gross_mj
    assert found.run_by_rail == pytest.approx({"12V": idle + work, "aux": (idle + work) / 4})


def test_a_board_that_warms_up_widens_the_error() -> None:
    found = energy_of(_samples(8.0), _samples(10.0), _samples(8.4), 1000, 10.0)
    assert found.idle_w == pytest.approx(1.25 * 8.2)
    assert found.error_w >= 1.25 * 0.2
    assert found.net_mj == pytest.approx(1e3 * 1.25 * 1.8 * 0.01)


def test_noise_is_within_the_error() -> None:
    """4 sigma: one of 16,000 draws lies outside; the seeds are fixed."""
    for seed in range(20):
        parts = [_samples(w, 0.5, 3 * seed + n) for n, w in enumerate((8.0, 10.0, 8.0))]
        found = energy_of(*parts, 100, 2.0)
        assert abs(found.net_mj - 1e3 * 2.5 * 0.02) < 4 * found.error_mj
        assert math.isfinite(found.error_mj) and found.error_mj > 0


def test_less_power_at_work_is_no_negative_energy() -> None:
    assert energy_of(_samples(9.0), _samples(8.9), _samples(9.0), 10, 2.0).net_mj == 0.0


def test_nothing_ran() -> None:
    with pytest.raises(DeviceError, match="0 images ran"):
        energy_of(_samples(8.0), _samples(9.0), _samples(8.0), 0, 2.0)


def test_other_rails() -> None:
    with pytest.raises(DeviceError, match="expected equal"):
        energy_of(_samples(8.0), _samples(9.0, names=("12V", "x")), _samples(8.0), 1, 2.0)
