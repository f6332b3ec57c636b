"""GELU tables: exact zero points on both sides, two classes, the best narrow limit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from m3vit.model.quantise.gelu import classes, gelu, input_range, make_tables, narrow_limit

highs = st.floats(0.01, 40)


def test_gelu_is_torch_s() -> None:
    x = np.linspace(-8, 8, 1001)
    expected = torch.nn.functional.gelu(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(gelu(x), expected, atol=1e-15)


@given(highs, st.floats(0.01, 1))
def test_every_entry_is_within_half_an_output_step(high: float, share: float) -> None:
    tables = make_tables(-3.0, (high, high * share))
    codes = np.arange(-128, 128)
    for kind in (0, 1):
        x = tables.in_scale[kind] * (codes + tables.in_offset[kind])
        y = tables.out_scale[kind] * (tables.table[kind] + tables.out_offset[kind])
        assert x[0] == pytest.approx(-3.0) and x[-1] == pytest.approx((high, high * share)[kind])
        assert np.abs(y - gelu(x))[1:].max() <= 0.5001 * tables.out_scale[kind]
        assert (
            gelu(x)[0] - 0.5001 * tables.out_scale[kind] <= y[0] <= 0.5001 * tables.out_scale[kind]
        )


@given(highs)
def test_zero_is_an_output_code(high: float) -> None:
    tables = make_tables(-3.0, (high, high))
    assert tables.out_offset[0] == int(tables.out_offset[0])
    assert -128 <= -tables.out_offset[0] <= 127


def test_range_of_hidden_units_that_never_fire_is_not_empty() -> None:
    low, high = input_range(0.0, 0.0)
    assert low < 0 < high
    assert input_range(-9.0, 4.0) == (-3.0, 5.0)


def test_narrow_limit_is_the_best_of_all_candidates() -> None:
    rng = np.random.default_rng(0)
    reaches, importance = rng.exponential(1.0, 60), rng.uniform(0, 1, 60)
    high = float(reaches.max())
    limit = narrow_limit(-3.0, high, reaches, importance)

    def cost(end: float) -> float:
        inside = reaches <= end
        return float((importance * np.where(inside, end + 3, high + 3) ** 2).sum())

    assert cost(limit) == pytest.approx(min(cost(end) for end in reaches))
    assert 0 < classes(reaches, limit).mean() < 1


def test_units_of_equal_reach_share_one_class() -> None:
    reaches = np.full(8, 5.0)
    assert narrow_limit(-3.0, 5.0, reaches, np.ones(8)) == 5.0
