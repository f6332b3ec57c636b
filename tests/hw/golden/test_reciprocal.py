import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.golden.reciprocal import reciprocal
from tests.support import integer_twin

POSITIVE = st.integers(1, (1 << 53) - 1) | st.sampled_from([1, 2, 1023, 1024, 2047, (1 << 53) - 1])


@given(st.lists(POSITIVE, min_size=1, max_size=50))
def test_equals_python_integers(values: list[int]) -> None:
    inverse, leading = reciprocal(np.array(values))
    expected = [integer_twin.reciprocal(value) for value in values]
    assert list(zip(inverse.tolist(), leading.tolist(), strict=True)) == expected


@given(POSITIVE)
def test_relative_error_is_below_half_an_interval(value: int) -> None:
    inverse, leading = reciprocal(np.array([value]))
    assert abs(int(inverse[0]) * value / 2 ** (16 + int(leading[0])) - 1) <= 2.0**-11 + 2.0**-16


def test_every_small_value() -> None:
    values = np.arange(1, 70000)
    inverse, leading = reciprocal(values)
    error = inverse * 2.0 ** -(16.0 + leading) * values - 1
    assert np.abs(error).max() <= 2.0**-11 + 2.0**-16
    assert (inverse.min(), inverse.max()) == (32776, 65504)
