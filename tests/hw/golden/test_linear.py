import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.golden.linear import accumulate, exact_terms, linear8, linear18, product
from m3vit.hw.golden.requantise import requantise8, requantise18
from m3vit.hw.quantised import Linear
from tests.support.random_models import Spread, random_linear


def _exact(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x.astype(np.int64) @ weight.astype(np.int64).T


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from([1, 31, 192, 518, 519, 1032, 1033, 3072]),
    st.sampled_from([np.int8, np.uint8]),
)
def test_product_is_exact(seed: int, size: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    x = rng.integers(low, high + 1, (2, 3, size)).astype(dtype)
    weight = rng.integers(-127, 128, (5, size)).astype(np.int8)
    np.testing.assert_array_equal(product(x, weight), _exact(x, weight))


@pytest.mark.parametrize("size", [518, 1032, 1033, 4096])
@pytest.mark.parametrize(("code", "dtype"), [(-128, np.int8), (255, np.uint8)])
@pytest.mark.parametrize("weight", [-127, 127])
def test_product_is_exact_at_the_extremes(size: int, code: int, dtype: type, weight: int) -> None:
    x = np.full((3, size), code, dtype=dtype)
    x[1, ::2] += 1 if code < 0 else 0  # one odd row: a lost lowest bit would show
    x[2, -1] = 1
    w = np.full((2, size), weight, dtype=np.int8)
    w[1, 0] = 1
    np.testing.assert_array_equal(product(x, w), _exact(x, w))


def test_pieces_are_as_long_as_float32_allows() -> None:
    assert exact_terms(np.dtype(np.int8)) == 1032
    assert exact_terms(np.dtype(np.uint8)) == 518
    assert exact_terms(np.dtype(np.int32)) == 0


def test_wide_integers_go_through_float64() -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.integers(-(1 << 30), 1 << 30, (4, 9)), np.full((2, 9), 127, np.int8)
    np.testing.assert_array_equal(product(x.astype(np.int32), weight), _exact(x, weight))


def test_bias_beyond_float32_is_exact() -> None:
    layer = Linear(
        weight=np.ones((2, 8), np.int8),
        bias=np.array([(1 << 25) + 1, -(1 << 25) - 3], np.int32),
        factor=np.ones(2, np.uint16),
        shift=1,
    )
    x = np.ones((1, 8), np.int8)
    assert accumulate(x, layer).tolist() == [[(1 << 25) + 9, -(1 << 25) + 5]]
    assert accumulate(x, layer).dtype == np.int32


@given(st.integers(0, 1 << 32))
def test_layers_are_accumulation_and_requantisation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (24, 1100 if seed % 2 else 64)
    layer = random_linear(rng, shape, Spread(deviation=70), Spread(deviation=60))
    x = rng.integers(-128, 128, (5, shape[1])).astype(np.int8)
    acc = accumulate(x, layer)
    eight, eighteen = linear8(x, layer, -127), linear18(x, layer)
    np.testing.assert_array_equal(eight, requantise8(acc, layer.factor, layer.shift, -127))
    np.testing.assert_array_equal(eighteen, requantise18(acc, layer.factor, layer.shift))
    assert (eight.dtype, eighteen.dtype) == (np.int8, np.int32)


def test_no_rows_give_no_rows() -> None:
    layer = random_linear(np.random.default_rng(0), (16, 32), Spread(), Spread())
    assert linear8(np.empty((0, 32), np.int8), layer).shape == (0, 16)
