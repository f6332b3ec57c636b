import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.golden.scores import scores
from tests.support import integer_twin


@settings(max_examples=60)
@given(st.integers(0, 1 << 32), st.sampled_from([16, 32, 64]), st.integers(0, 15))
def test_equals_python_integers(seed: int, size: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    q = rng.integers(-128, 128, (3, size)).astype(np.int8)
    k = rng.integers(-127, 128, (4, size)).astype(np.int8)
    expected = [integer_twin.score_row(row, k.tolist(), shift) for row in q.tolist()]
    assert scores(q, k, shift).tolist() == expected


@pytest.mark.parametrize("shift", [0, 1, 15])
@pytest.mark.parametrize("sign", [-127, 127])
def test_widest_head_at_the_extremes(shift: int, sign: int) -> None:
    """The largest sums that still have to be exact before rounding."""
    q, k = np.full((2, 1031), -128, np.int8), np.full((1, 1031), sign, np.int8)
    q[1, 0] = -127
    expected = [integer_twin.score_row(row, k.tolist(), shift) for row in q.tolist()]
    assert scores(q, k, shift).tolist() == expected


def test_ties_round_up() -> None:
    q, k = np.array([[-3], [-1], [1], [3]], np.int8), np.array([[1]], np.int8)
    assert scores(q, k, 1)[:, 0].tolist() == [-1, 0, 1, 2]


def test_wider_head_is_refused() -> None:
    wide = np.zeros((1, 1032), np.int8)
    with pytest.raises(ConfigurationError, match="head dimension is 1032, expected at most 1031"):
        scores(wide, wide, 0)
