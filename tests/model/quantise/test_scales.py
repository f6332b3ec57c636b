"""Rules that turn ranges into scales."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import SCORE_UNIT
from m3vit.model.quantise.scales import (
    HEADROOM,
    channel_scale,
    gain_value,
    guard_bits,
    output_gain,
    residual_fraction,
    score_scales,
)

positive = st.floats(1e-4, 1e3)


@given(st.lists(positive, min_size=1, max_size=20))
def test_channel_scale_holds_every_channel_and_stays_between(peaks: list[float]) -> None:
    values = np.array(peaks)
    reach = channel_scale(values) * 127
    assert (reach >= values * HEADROOM * (1 - 1e-12)).all()
    assert (reach <= values.max() * HEADROOM * (1 + 1e-12)).all()


def test_channel_without_range_gets_a_usable_scale() -> None:
    assert (channel_scale(np.array([0.0, 2.0])) > 0).all()
    assert (channel_scale(np.zeros(3)) > 0).all()


@given(st.floats(1e-3, 2.0**14.6))
def test_residual_fraction_is_the_largest_that_holds(peak: float) -> None:
    fraction = residual_fraction(peak)
    assert peak * HEADROOM <= 2.0 ** (15 - fraction)
    assert fraction == 9 or peak * HEADROOM > 2.0 ** (14 - fraction)


def test_diverging_residual_is_refused() -> None:
    with pytest.raises(QuantisationError, match="diverges"):
        residual_fraction(30000.0)


@given(positive, positive, st.sampled_from([16, 32, 64]))
def test_scores_land_on_the_unit_exactly(query: float, key: float, width: int) -> None:
    s_q, s_k, shift = score_scales(query / 127, key / 127, width)
    assert math.isclose(s_q * s_k / math.sqrt(width) * 2.0**shift, SCORE_UNIT, rel_tol=1e-12)
    assert 0 <= shift <= 15


@given(st.floats(0.05, 20), st.floats(0.05, 20))
def test_score_scales_hold_the_ranges_and_waste_less_than_a_factor_of_two(
    query: float, key: float
) -> None:
    s_q, s_k, shift = score_scales(query / 127, key / 127, 32)
    excess = (s_q / (query / 127)) * (s_k / (key / 127))
    assert excess >= 1 - 1e-9
    assert excess < 2 or shift == 15


@given(st.floats(1e-5, 3.0))
def test_output_gain_is_in_its_fields_and_never_saturates(reach: float) -> None:
    gain, exponent = output_gain(reach)
    assert 1 << 15 <= gain < 1 << 16
    assert 0 <= exponent <= 6
    value = gain_value(gain, exponent)
    assert value * min(max(reach, 2.0**-7), 1.0) <= 1 + 1e-9
    assert 2.0**-7 < reach < 1 and value * reach > 0.999 or reach >= 1 or reach <= 2.0**-7


@given(st.floats(1e-6, 2.0**8), st.integers(0, 9))
def test_guard_bits_hold_the_peak(peak: float, fraction: int) -> None:
    bits = guard_bits(peak, fraction)
    assert 0 <= bits <= 6
    assert bits == 0 or HEADROOM * peak <= 2.0 ** (15 - fraction - bits)
