"""Float interpolation against PyTorch's in float64."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from m3vit.host.interpolate import resize_maps

SIZES = st.integers(1, 40)


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, st.integers(0, 1000))
def test_equals_pytorch(height: int, width: int, rows: int, columns: int, seed: int) -> None:
    maps = np.random.default_rng(seed).normal(size=(2, height, width)).astype(np.float32)
    exact = F.interpolate(
        torch.from_numpy(maps.astype(np.float64))[None],
        (rows, columns),
        mode="bilinear",
        align_corners=False,
    )
    difference = np.abs(resize_maps(maps, rows, columns) - exact[0].numpy()).max()
    # Sources have magnitude below 6; weights are rounded to float32 before three operations.
    assert difference < 6 * 8 * 2.0**-23


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 100))
def test_strips_are_the_rows_of_the_whole(rows: int, strip: int, seed: int) -> None:
    maps = np.random.default_rng(seed).normal(size=(1, 7, 5)).astype(np.float32)
    strips = [
        resize_maps(maps, rows, 9, slice(start, start + strip)) for start in range(0, rows, strip)
    ]
    assert np.array_equal(np.concatenate(strips, axis=1), resize_maps(maps, rows, 9))


def test_constant_stays_constant() -> None:
    assert (resize_maps(np.full((1, 3, 4), 2.5, np.float32), 11, 13) == 2.5).all()
