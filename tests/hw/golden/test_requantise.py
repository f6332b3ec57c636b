import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.formats import ACCUMULATOR_LIMIT, SHIFT_LIMIT
from m3vit.hw.golden.requantise import (
    rectify8,
    requantise,
    requantise8,
    requantise16,
    requantise18,
)
from tests.support.integer_twin import rshift, sat

EXTREMES = [-(ACCUMULATOR_LIMIT - 1), -1, 0, 1, ACCUMULATOR_LIMIT - 1]
ACCUMULATORS = st.integers(-(ACCUMULATOR_LIMIT - 1), ACCUMULATOR_LIMIT - 1) | st.sampled_from(
    EXTREMES
)
FACTORS = st.integers(0, 65535) | st.sampled_from([1, 32768, 65535])
PAIRS = st.lists(st.tuples(ACCUMULATORS, FACTORS), min_size=1, max_size=30)


@settings(max_examples=300)
@given(PAIRS, st.integers(1, SHIFT_LIMIT), st.sampled_from([8, 16, 18, 32]))
def test_equals_python_integers(pairs: list[tuple[int, int]], shift: int, bits: int) -> None:
    acc = np.array([pair[0] for pair in pairs], dtype=np.int32)
    factor = np.array([pair[1] for pair in pairs], dtype=np.uint16)
    expected = [sat(rshift(a * m, shift), bits) for a, m in pairs]
    assert requantise(acc, factor, shift, bits).tolist() == expected


@given(st.lists(st.tuples(st.integers(-(1 << 31), (1 << 31) - 1), FACTORS), min_size=1))
def test_head_accumulators_are_exact_too(pairs: list[tuple[int, int]]) -> None:
    acc = np.array([pair[0] for pair in pairs], dtype=np.int32)
    factor = np.array([pair[1] for pair in pairs], dtype=np.uint16)
    for shift in (1, 17, SHIFT_LIMIT):
        exact = [rshift(a * m, shift) for a, m in pairs]
        assert rectify8(acc, factor, shift).tolist() == [max(0, min(255, x)) for x in exact]
        assert requantise16(acc, factor, shift).tolist() == [sat(x, 16) for x in exact]


@pytest.mark.parametrize("shift", [1, 7, 16, 26, SHIFT_LIMIT])
def test_exact_ties_round_up(shift: int) -> None:
    """acc * factor = (odd) * 2^(shift-1): the case in which a wrong rounding shows."""
    factor = 1 << min(15, shift - 1)
    odd = np.array([-5, -3, -1, 1, 3, 5]) << (shift - 1 - min(15, shift - 1))
    result = requantise(odd.astype(np.int64), np.uint16(factor), shift, 8)
    assert result.tolist() == [-2, -1, 0, 1, 2, 3]


def test_named_widths() -> None:
    acc, factor = np.array([-(1 << 25), 1 << 25]), np.array([65535, 65535], np.uint16)
    assert requantise8(acc, factor, 1).tolist() == [-128, 127]
    assert requantise8(acc, factor, 1, lowest=-127).tolist() == [-127, 127]
    assert requantise18(acc, factor, 1).tolist() == [-131072, 131071]
    assert requantise16(acc, factor, 1).tolist() == [-32768, 32767]
    assert requantise8(acc, factor, np.uint8(40)).tolist() == [-2, 2]
