import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.golden.interpolate import double, up2i


def _bilinear(x: np.ndarray) -> np.ndarray:
    """Interpolation by two at half-pixel positions clamped to the image, from the formula."""
    for axis in (0, 1):
        size = x.shape[axis]
        place = np.clip((np.arange(2 * size) + 0.5) / 2 - 0.5, 0, size - 1)
        low = np.floor(place).astype(int)
        part = (place - low).reshape([-1 if a == axis else 1 for a in range(3)])
        high = np.minimum(low + 1, size - 1)
        x = np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part
    return x


@given(st.integers(0, 1 << 32), st.integers(1, 5), st.integers(1, 5))
def test_is_sixteen_times_bilinear(seed: int, height: int, width: int) -> None:
    x = np.random.default_rng(seed).integers(-(1 << 26), 1 << 26, (height, width, 2))
    result = up2i(x.astype(np.int32))
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, 16 * _bilinear(x.astype(np.float64)))


def test_weights_of_a_single_point() -> None:
    point = np.zeros((3, 3, 1), np.int32)
    point[1, 1] = 1
    square = [[1, 3, 3, 1], [3, 9, 9, 3], [3, 9, 9, 3], [1, 3, 3, 1]]
    assert up2i(point)[1:5, 1:5, 0].tolist() == square
    assert up2i(point).sum() == 64


@pytest.mark.parametrize("axis", [0, 1])
def test_edges_repeat(axis: int) -> None:
    x = np.moveaxis(np.array([[[10]], [[20]]]), 0, axis)
    assert double(x, axis).reshape(-1).tolist() == [40, 50, 70, 80]
