"""up2i = 16 x bilinear interpolation by two, align_corners false, edges repeated: exact integers.

Separable: along each axis an output is 3 * near + next, so the weights are 9, 3, 3, 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import Int32


def double(x: NDArray[Any], axis: int) -> Int32:
    """4 x interpolation by two along ``axis`` (0 or 1) of [h, w, C]; int32."""
    wide = np.moveaxis(np.asarray(x, dtype=np.int32), axis, 0)
    result = np.empty((2 * len(wide), *wide.shape[1:]), dtype=np.int32)
    before, after = result[0::2], result[1::2]
    np.multiply(wide, 3, out=before)
    after[:] = before
    before[1:] += wide[:-1]
    before[0] += wide[0]
    after[:-1] += wide[1:]
    after[-1] += wide[-1]
    return np.moveaxis(result, 0, axis)


def up2i(x: NDArray[Any]) -> Int32:
    """16 x bilinear interpolation: [h, w, C] to int32 [2h, 2w, C]."""
    return double(double(x, 1), 0)
