"""Gates: the split into two columns, the scale, and the unit of differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import GATE_UNIT
from m3vit.hw.golden.gate import gate_scores, logits, route
from m3vit.model.quantise.agreement import softmax
from m3vit.model.quantise.gates import (
    GATE_WEIGHT_LIMIT,
    check_gate,
    difference_factor,
    make_gate,
    split_gate,
)


def test_split_is_exact_over_the_whole_range() -> None:
    codes = np.arange(-GATE_WEIGHT_LIMIT, GATE_WEIGHT_LIMIT + 1).astype(float)
    high, low = split_gate(codes)
    np.testing.assert_array_equal(128 * high + low, codes)
    assert high.min() == -127 and high.max() == 127
    assert low.min() == -64 and low.max() == 63


@given(st.floats(1.7e-7, 1e-2))
def test_difference_factor_is_within_its_half_step(scale: float) -> None:
    factor, shift = difference_factor(scale)
    assert 1 <= factor <= 65535 and 1 <= shift <= 40
    assert factor * 2.0**-shift == pytest.approx(scale / GATE_UNIT, rel=2.0**-15)


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 1))
def test_scores_follow_the_float_softmax(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    weight, bias = spread * rng.standard_normal((6, 32)) / 127, rng.standard_normal(6)
    gate = make_gate("gate", weight, bias)
    codes = rng.integers(-128, 128, (20, 32)).astype(np.int8)
    exact = codes @ weight.T + bias
    found = logits(codes, gate) * gate.scale
    assert np.abs(found - exact).max() <= 128 * 32 * gate.scale / 2 + gate.scale
    scores = gate_scores(logits(codes, gate), gate) / 65536
    assert np.abs(scores - softmax(found)).max() < 0.01


def test_one_expert_gets_all_the_weight() -> None:
    gate = make_gate("gate", np.zeros((1, 16)), np.zeros(1))
    plan = route(np.ones((4, 16), np.int8), gate, 1)
    assert plan.counts.tolist() == [4]
    assert (plan.weights >= 65000).all()


def test_clipped_differences_still_mean_nothing() -> None:
    gate = make_gate("gate", np.full((2, 4), 1e-9), np.array([40.0, -40.0]))
    scores = gate_scores(logits(np.zeros((1, 4), np.int8), gate), gate)
    assert scores[0, 1] <= 65535 * math.exp(-11) + 1


def test_column_beyond_the_accumulator_is_refused_by_name() -> None:
    with pytest.raises(QuantisationError, match="gate of task 1 high column expert 0"):
        check_gate("gate of task 1", np.zeros((2, 4)), np.array([2.0**33, 0.0]))
