import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.formats import SCORE_UNIT
from m3vit.hw.golden.attention import attend, attention, row_factors, scale_rows, weigh_values
from m3vit.hw.golden.scores import scores
from m3vit.hw.quantised import Attention
from tests.support import integer_twin
from tests.support.random_models import Spread, random_linear

UNIT_GAIN = 1 << 15
FACTOR_BOUND = 2.0**-11 + 2.0**-14
"""Reciprocal within half an interval of its table; F >= 2^14 rounded to an integer."""


def _codes(rng: np.random.Generator, tokens: int, size: int) -> tuple[np.ndarray, ...]:
    q = rng.integers(-128, 128, (tokens, size)).astype(np.int8)
    k, v = (rng.integers(-127, 128, (tokens, size)).astype(np.int8) for _ in range(2))
    return q, k, v


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([1, 2, 5, 33, 70]), st.integers(5, 12))
def test_one_head_equals_python_integers(seed: int, tokens: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    q, k, v = _codes(rng, tokens, 16)
    gain, output_shift = int(rng.integers(1 << 15, 1 << 16)), int(rng.integers(0, 7))
    expected = integer_twin.attend(q.tolist(), k.tolist(), v.tolist(), shift, gain, output_shift)
    assert attend(q, k, v, shift, gain, output_shift).tolist() == expected


def test_heads_are_cut_side_by_side() -> None:
    rng = np.random.default_rng(1)
    q, k, v = _codes(rng, 7, 48)
    linear = random_linear(rng, (48, 48), Spread(), Spread())
    layer = Attention(
        query=linear,
        key=linear,
        value=linear,
        proj=linear,
        score_shift=np.array([6, 8, 10], np.uint8),
        output_gain=np.array([32768, 50000, 65535], np.uint16),
        output_shift=np.array([0, 1, 6], np.uint8),
    )
    expected = np.concatenate(
        [
            attend(q[:, :16], k[:, :16], v[:, :16], 6, 32768, 0),
            attend(q[:, 16:32], k[:, 16:32], v[:, 16:32], 8, 50000, 1),
            attend(q[:, 32:], k[:, 32:], v[:, 32:], 10, 65535, 6),
        ],
        axis=1,
    )
    np.testing.assert_array_equal(attention(q, k, v, layer, 3), expected)


@given(st.integers(0, 1 << 32))
def test_one_token_returns_its_value(seed: int) -> None:
    q, k, v = _codes(np.random.default_rng(seed), 1, 16)
    np.testing.assert_array_equal(attend(q, k, v, 5, UNIT_GAIN, 0), v)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([3, 64, 129, 300]), st.integers(6, 12))
def test_output_is_within_its_bound_of_float64_softmax(seed: int, tokens: int, shift: int) -> None:
    """Error feedback leaves half a code a chain times V's variation, the table 1.5/256 a key."""
    q, k, v = _codes(np.random.default_rng(seed), tokens, 16)
    s = scores(q, k, shift).astype(np.float64)
    e = np.exp((s - s.max(axis=1, keepdims=True)) * SCORE_UNIT)
    exact = e @ v / e.sum(axis=1, keepdims=True)
    wide = v.astype(np.float64)
    variation = np.abs(wide[:-32] - wide[32:]).sum(axis=0) + np.abs(wide[-32:]).sum(axis=0)
    sum_error = 0.5 * variation + 1.5 / 256 * np.abs(wide).sum(axis=0)
    total_error = 16 + 1.5 / 256 * tokens
    total = 254 * e.sum(axis=1, keepdims=True)
    ratio_error = (sum_error + np.abs(exact) * total_error) / np.maximum(total - total_error, 254)
    bound = 0.5 + ratio_error * (1 + FACTOR_BOUND) + np.abs(exact) * FACTOR_BOUND
    assert np.all(np.abs(attend(q, k, v, shift, UNIT_GAIN, 0) - exact) <= bound)


@given(st.integers(254, 254 * 2048), st.integers(1 << 15, (1 << 16) - 1), st.integers(0, 6))
def test_row_scale_is_within_its_bound_of_division(total: int, gain: int, shift: int) -> None:
    acc = np.array([[total * 7.0, -total * 100.0]])
    exact = np.clip(acc / total * gain / 2.0 ** (15 - shift), -128, 127)
    result = scale_rows(acc, np.array([total], np.int32), gain, shift)
    full = np.abs(acc / total * gain / 2.0 ** (15 - shift))
    assert np.all(np.abs(result - exact) <= 0.5 + full * FACTOR_BOUND)


@pytest.mark.parametrize("gain", [1 << 15, (1 << 16) - 1])
def test_row_factor_has_sixteen_bits(gain: int) -> None:
    factors, _ = row_factors(np.arange(254, 70000).astype(np.int32), gain)
    assert 1 << 14 <= factors.min() and factors.max() < 1 << 16


@pytest.mark.parametrize("tokens", [520, 521, 1201, 2048])
@pytest.mark.parametrize("value", [-127, 127])
@pytest.mark.parametrize("p", [253, 254])
def test_long_sums_are_exact_at_the_extremes(tokens: int, value: int, p: int) -> None:
    v = np.full((tokens, 2), value, np.float32)
    v[-1, 0] = 1
    acc = weigh_values(np.full((tokens, 3), p, np.float32), v)
    assert acc[2].tolist() == [p * ((tokens - 1) * value + 1), p * tokens * value]


@pytest.mark.parametrize("value", [-127, 127])
def test_a_long_row_of_equal_keys_returns_their_value(value: int) -> None:
    q, k = np.zeros((1, 16), np.int8), np.zeros((1201, 16), np.int8)
    assert np.all(attend(q, k, np.full_like(k, value), 0, UNIT_GAIN, 0) == value)


def test_query_blocks_do_not_matter() -> None:
    q, k, v = _codes(np.random.default_rng(3), 150, 32)
    whole = attend(q, k, v, 8, 40000, 1)
    apart = [attend(q[i : i + 1], k, v, 8, 40000, 1) for i in range(150)]
    np.testing.assert_array_equal(whole, np.concatenate(apart))
