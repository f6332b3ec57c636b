"""The one rounding rule and saturation (hw/CONTRACT.md section 1)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import Int64


def rshift(values: NDArray[Any], count: int | NDArray[Any]) -> Int64:
    """(values + 2^(count-1)) >> count, half up; ``count`` 0 is the identity.

    ``values`` are integers of any shape below 2^62 in magnitude; ``count`` broadcasts.
    """
    wide = np.asarray(values, dtype=np.int64)
    amount = np.asarray(count, dtype=np.int64)
    half = (np.int64(1) << amount) >> 1
    return np.asarray((wide + half) >> amount, dtype=np.int64)


def limits(bits: int) -> tuple[int, int]:
    """Smallest and largest two's complement number of ``bits`` bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def saturate(values: NDArray[Any], bits: int) -> Int64:
    """``values`` clamped to two's complement of ``bits`` bits."""
    return np.clip(np.asarray(values, dtype=np.int64), *limits(bits))
