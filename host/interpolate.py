"""Bilinear interpolation of float maps, corners not aligned, as PyTorch's ``interpolate``."""

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import Float32


def _taps(size: int, wanted: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Float32]:
    """Left and right neighbour of each wanted sample, and the right one's weight."""
    centre = np.maximum((np.arange(wanted) + 0.5) * (size / wanted) - 0.5, 0.0)
    left = np.minimum(centre.astype(np.intp), size - 1)
    right = np.minimum(left + 1, size - 1)
    return left, right, (centre - left).astype(np.float32)


def resize_maps(maps: Float32, height: int, width: int, rows: slice = slice(None)) -> Float32:
    """``maps`` [C, h, w] at [C, height, width], or only some ``rows`` of that; no antialiasing."""
    top, bottom, weight = (values[rows] for values in _taps(maps.shape[1], height))
    lines = maps[:, top] + (maps[:, bottom] - maps[:, top]) * weight[:, None]
    left, right, weight = _taps(maps.shape[2], width)
    result: Float32 = lines[:, :, left] + (lines[:, :, right] - lines[:, :, left]) * weight
    return result
