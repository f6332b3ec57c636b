"""Reciprocal of a positive integer by one table (hw/CONTRACT.md section 2)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import TABLE_INDEX_BITS, Int64, reciprocal_table

_TABLE = reciprocal_table().astype(np.int64)


def reciprocal(values: NDArray[Any]) -> tuple[Int64, Int64]:
    """R and L with 1/D = R * 2^-(16+L) within 2^-11, for integers D in [1, 2^53).

    L = floor(log2 D); the ten bits of D below its leading one (zeros where D has fewer) index
    RECIP.
    """
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float64))
    below = np.floor(mantissa * (2 << TABLE_INDEX_BITS)).astype(np.int64) - (1 << TABLE_INDEX_BITS)
    return _TABLE[below], exponent.astype(np.int64) - 1
