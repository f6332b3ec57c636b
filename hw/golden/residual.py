"""The residual stream: 18-bit codes (carried in int32), added with saturation."""

import numpy as np

from m3vit.hw.formats import RESIDUAL_BITS, Int32
from m3vit.hw.golden.rounding import limits


def add(x18: Int32, contribution: Int32) -> tuple[Int32, int]:
    """sat18(x18 + contribution), and how many elements saturated; shapes are equal."""
    total = x18 + contribution
    result = np.clip(total, *limits(RESIDUAL_BITS))
    return result, int(np.count_nonzero(result != total))
