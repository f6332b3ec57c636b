import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.golden.rounding import limits, rshift, saturate
from tests.support import integer_twin

VALUES = st.lists(st.integers(-(1 << 60), 1 << 60), min_size=1, max_size=20)


@given(VALUES, st.integers(0, 45))
def test_rshift_equals_python_integers(values: list[int], count: int) -> None:
    expected = [integer_twin.rshift(value, count) for value in values]
    assert rshift(np.array(values), count).tolist() == expected


@given(VALUES, st.integers(1, 40))
def test_rshift_rounds_halves_up(values: list[int], count: int) -> None:
    halves = np.array([value >> 40 for value in values]) * 2 + 1
    result = rshift(halves << (count - 1), count)
    assert result.tolist() == [(int(half) + 1) // 2 for half in halves]


def test_rshift_takes_a_count_for_each_row() -> None:
    values, counts = np.array([[5, -5], [5, -5], [5, -5]]), np.array([[0], [1], [2]])
    assert rshift(values, counts).tolist() == [[5, -5], [3, -2], [1, -1]]


@given(VALUES, st.integers(2, 40))
def test_saturate_equals_python_integers(values: list[int], bits: int) -> None:
    expected = [integer_twin.sat(value, bits) for value in values]
    assert saturate(np.array(values), bits).tolist() == expected


def test_limits_of_the_formats() -> None:
    assert limits(8) == (-128, 127)
    assert limits(18) == (-131072, 131071)
