"""Exact integer matrix products through floating-point BLAS, and the linear layer.

A float32 sum of integer products is exact in any order while the sum of magnitudes stays at or
below 2^24: K <= 1032 for int8 x int8 weights (128 x 127 each), K <= 518 for uint8 features.
Longer contractions are cut there and the parts added in float64, exact below 2^53.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import WEIGHT_LIMIT, Float32, Float64, Int8, Int32, UInt8
from m3vit.hw.golden.requantise import requantise8, requantise18
from m3vit.hw.quantised import Linear

EXACT_FLOAT32 = 1 << 24


def exact_terms(dtype: np.dtype[Any]) -> int:
    """Products of ``dtype`` codes and int8 weights that float32 adds exactly (0: too wide)."""
    largest = {np.dtype(np.int8): 128, np.dtype(np.uint8): 255}.get(dtype)
    return EXACT_FLOAT32 // (largest * WEIGHT_LIMIT) if largest else 0


def product(codes: NDArray[Any], weight: Int8) -> NDArray[np.floating[Any]]:
    """codes [..., K] times weight [N, K] transposed: exact integers in float32 or float64.

    int8 and uint8 codes go through float32 in pieces that are exact; wider integers through
    float64, whose sums must stay below 2^53.
    """
    size, terms = codes.shape[-1], exact_terms(codes.dtype)
    if terms == 0:
        wide: Float64 = np.matmul(codes.astype(np.float64), weight.T.astype(np.float64))
        return wide
    left, right = codes.astype(np.float32), weight.astype(np.float32)
    if size <= terms:
        short: Float32 = np.matmul(left, right.T)
        return short
    total = np.zeros((*codes.shape[:-1], len(weight)))
    for start in range(0, size, terms):
        piece = slice(start, start + terms)
        total += np.matmul(left[..., piece], right[:, piece].T)
    return total


def accumulate(x: Int8 | UInt8, layer: Linear) -> Int32:
    """acc = x @ weight.T + bias: x [..., K] to Int32 [..., N], exact (|acc| < 2^26)."""
    return product(x, layer.weight).astype(np.int32) + layer.bias


def _accumulate(x: Int8, layer: Linear) -> Float64:
    """The same in float64, which requantisation takes without another conversion."""
    return np.add(product(x, layer.weight), layer.bias, dtype=np.float64)


def linear8(x: Int8, layer: Linear, lowest: int = -128) -> Int8:
    """Linear layer with int8 outputs [..., N]; ``lowest`` is -127 for K and V."""
    return requantise8(_accumulate(x, layer), layer.factor, layer.shift, lowest)


def linear18(x: Int8, layer: Linear) -> Int32:
    """Linear layer with 18-bit outputs [..., N]: a contribution to the residual stream."""
    return requantise18(_accumulate(x, layer), layer.factor, layer.shift)
