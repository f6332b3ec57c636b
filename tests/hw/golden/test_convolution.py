import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.golden.convolution import commuted, convolve, direct
from m3vit.hw.golden.interpolate import up2i
from m3vit.hw.quantised import Convolution


def _by_definition(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    size = weight.shape[-1]
    padded = np.pad(x.astype(np.int64), [(size // 2, size // 2)] * 2 + [(0, 0)])
    result = np.zeros((*x.shape[:2], len(weight)), np.int64)
    for row, column in np.ndindex(x.shape[:2]):
        window = padded[row : row + size, column : column + size]
        result[row, column] = np.einsum("yxi,oiyx->o", window, weight.astype(np.int64))
    return result


def _weight(rng: np.random.Generator, channels: int, size: int = 3) -> np.ndarray:
    return rng.integers(-127, 128, (4, channels, size, size)).astype(np.int8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3, 5]))
def test_direct_equals_its_definition(seed: int, height: int, width: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (height, width, 3)).astype(np.int8)
    weight = _weight(rng, 3, size)
    np.testing.assert_array_equal(direct(x, weight), _by_definition(x, weight))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1 << 32),
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from([np.uint8, np.int8]),
)
def test_commuted_equals_interpolation_then_convolution(
    seed: int, height: int, width: int, dtype: type
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (height, width, 5)).astype(dtype)
    weight = _weight(rng, 5)
    result = commuted(x, weight)
    np.testing.assert_array_equal(result, direct(up2i(x), weight))
    np.testing.assert_array_equal(result, _by_definition(up2i(x), weight))


@pytest.mark.parametrize("sign", [-1, 1])
def test_largest_sums_at_256_channels_are_exact(sign: int) -> None:
    x = np.full((3, 4, 256), 255, np.uint8)
    weight = np.full((1, 256, 3, 3), sign * 127, np.int8)
    result = commuted(x, weight)
    assert np.abs(result.astype(np.int64)).max() == 9 * 16 * 256 * 255 * 127
    np.testing.assert_array_equal(result, _by_definition(up2i(x), weight))


@pytest.mark.parametrize("upsampled", [False, True])
def test_bias_is_scaled_like_the_interpolated_sum(upsampled: bool) -> None:
    layer = Convolution(
        weight=np.zeros((2, 3, 3, 3), np.int8),
        bias=np.array([5, -(1 << 20)], np.int32),
        factor=np.ones(2, np.uint16),
        shift=1,
        upsampled=upsampled,
    )
    acc = convolve(np.ones((2, 2, 3), np.uint8), layer)
    gain, side = (16, 4) if upsampled else (1, 2)
    assert acc.shape == (side, side, 2)
    assert acc[0, 0].tolist() == [5 * gain, -(1 << 20) * gain]
