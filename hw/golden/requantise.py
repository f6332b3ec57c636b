"""Requantisation: satN(rshift(acc * M, n)), hw/CONTRACT.md section 2.

Computed as floor(acc * (M * 2^-n) + 0.5) in float64, which is exact: M * 2^-n has 16 significant
bits, |acc| < 2^26 makes the product an integer below 2^42 times 2^-n, and with n <= 40 adding a
half needs at most 43 bits of the 53.  Head accumulators (below 2^31) need 48.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import RESIDUAL_BITS, Float64, Int8, Int16, Int32, UInt8, UInt16
from m3vit.hw.golden.rounding import limits


def _rounded(
    acc: NDArray[Any], factor: UInt16, shift: int, lowest: float, highest: float
) -> Float64:
    scale = np.asarray(factor, dtype=np.float64) * 2.0 ** -int(shift)
    result: Float64 = np.multiply(acc, scale, dtype=np.float64)
    result += 0.5
    np.floor(result, out=result)
    return np.clip(result, lowest, highest, out=result)


def requantise(acc: NDArray[Any], factor: UInt16, shift: int, bits: int) -> Int32:
    """satN(rshift(acc * factor, shift)) for N = ``bits`` up to 32.

    Args:
        acc: integers [..., N] below 2^31 in magnitude, of any integer or float type.
        factor: UInt16 [N] or scalar.
        shift: 1 to 40.
        bits: width of the result.
    """
    return _rounded(acc, factor, shift, *limits(bits)).astype(np.int32)


def requantise8(acc: NDArray[Any], factor: UInt16, shift: int, lowest: int = -128) -> Int8:
    """Activations, int8; ``lowest`` is -127 for K and V, the stationary operands."""
    return _rounded(acc, factor, shift, lowest, 127).astype(np.int8)


def requantise16(acc: NDArray[Any], factor: UInt16, shift: int) -> Int16:
    """Logits of a head, int16."""
    return _rounded(acc, factor, shift, *limits(16)).astype(np.int16)


def requantise18(acc: NDArray[Any], factor: UInt16, shift: int) -> Int32:
    """Contributions to the residual stream: 18 bits in int32."""
    return _rounded(acc, factor, shift, *limits(RESIDUAL_BITS)).astype(np.int32)


def rectify8(acc: NDArray[Any], factor: UInt16, shift: int) -> UInt8:
    """Features of a head after ReLU: clamp(rshift(acc * factor, shift), 0, 255)."""
    return _rounded(acc, factor, shift, 0, 255).astype(np.uint8)
