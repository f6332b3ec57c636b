import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.golden.softmax import probabilities
from tests.support import integer_twin

ROWS = hnp.arrays(
    np.int16,
    st.tuples(st.integers(1, 3), st.sampled_from([1, 2, 31, 32, 33, 64, 129, 200])),
    elements=st.integers(-512, 511) | st.integers(480, 511),
)


@settings(max_examples=100)
@given(ROWS)
def test_equals_python_integers(scores: np.ndarray) -> None:
    p, denominators = probabilities(scores)
    expected = [integer_twin.softmax(row) for row in scores.tolist()]
    assert list(zip(p.tolist(), denominators.tolist(), strict=True)) == expected


@settings(max_examples=100)
@given(ROWS)
def test_no_chain_drifts_from_float64(scores: np.ndarray) -> None:
    """After any key, a chain's p sums to its exponentials within half a code and table error."""
    p, _ = probabilities(scores)
    wide = scores.astype(np.float64)
    exact = 254 * 2.0 ** ((wide - wide.max(axis=1, keepdims=True)) / 16)
    table_error = 1.5 / 256
    for chain in range(32):
        drift = np.cumsum(p[:, chain::32] - exact[:, chain::32], axis=1)
        steps = np.arange(1, drift.shape[1] + 1)
        assert np.all(np.abs(drift) <= 0.5 + steps * table_error)


@pytest.mark.parametrize("shape", [(1,), (1201,), (2, 3, 40), (1, 8256)])
def test_equal_scores_of_any_shape_give_the_top(shape: tuple[int, ...]) -> None:
    p, denominators = probabilities(np.full(shape, -512, np.int16))
    assert (p.dtype, p.shape, denominators.shape) == (np.uint8, shape, shape[:-1])
    assert np.all(p == 254)
    assert np.all(denominators == 254 * shape[-1])


def test_saturated_score_range() -> None:
    """A sink at the top and everything else at the bottom: e = 1, 256 of which make a code."""
    scores = np.full((1, 1 + 32 * 256), -512, np.int16)
    scores[0, 0] = 511
    p, denominators = probabilities(scores)
    assert p[0, 0] == 254
    assert denominators[0] == 254 + 32
    assert denominators[0] == p.sum()


def test_too_many_keys_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="8257 tokens"):
        probabilities(np.zeros((1, 8257), np.int16))
