"""Patch embedding: patches as int8, positions, a linear layer (hw/CONTRACT.md section 2)."""

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import RESIDUAL_GUARD_BITS, Int8, Int16, Int32, UInt8
from m3vit.hw.golden.linear import linear18
from m3vit.hw.golden.residual import add
from m3vit.hw.quantised import Linear


def patches(image: UInt8, patch: int) -> Int8:
    """byte - 128 of uint8 [H, W, 3] as [H/p * W/p, p*p*3]: patches and pixels row by row, then RGB.

    Raises:
        ConfigurationError: the image is no uint8 [H, W, 3] of whole patches.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ConfigurationError(
            f"image is {image.dtype} {list(image.shape)}, expected uint8 [height, width, 3]"
        )
    rows, columns = image.shape[0] // patch, image.shape[1] // patch
    if (rows * patch, columns * patch) != image.shape[:2]:
        raise ConfigurationError(
            f"image is {image.shape[0]}x{image.shape[1]}, expected multiples of {patch}"
        )
    tiles = image.reshape(rows, patch, columns, patch, 3).swapaxes(1, 2)
    return (tiles.reshape(rows * columns, -1) ^ 0x80).view(np.int8)


def embed(tiles: Int8, embedding: Linear, position: Int16) -> tuple[Int32, int]:
    """x18 [T, d] and saturations: positions, plus requantise18(linear(patch)) on tokens 1.. .

    Args:
        tiles: [T - 1, 768] from :func:`patches`.
        embedding: the layer, its bias holding patch bias, normalisation and 128 * sum of weights.
        position: [T, d] at 2^-f; row 0 is the class token with its position.
    """
    x18 = position.astype(np.int32) << RESIDUAL_GUARD_BITS
    x18[1:], saturations = add(x18[1:], linear18(tiles, embedding))
    return x18, saturations
