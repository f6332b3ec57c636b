"""Layer normalisation on the int16 view of the residual stream (hw/CONTRACT.md section 2).

Statistics are exact integer sums; 1/sqrt(V) is one table entry and a shift.  All intermediate
values are integers carried in float64: V < C^2 * 2^30 + eps < 2^53 for C < 2896, the largest
product (num * Y) has 43 bits and n * gamma + beta 34, so nothing rounds before its floor.
"""

import numpy as np

from m3vit.hw.formats import (
    LAYERNORM_FRACTION_BITS,
    RESIDUAL_GUARD_BITS,
    TABLE_INDEX_BITS,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    reciprocal_root_table,
)
from m3vit.hw.golden.rounding import limits, rshift, saturate
from m3vit.hw.quantised import LayerNorm

_TABLE = reciprocal_root_table()


def residual_view(x18: Int32) -> Int16:
    """sat16(rshift(x18, 2)): what LayerNorm reads and what the result in DRAM is."""
    return saturate(rshift(x18, RESIDUAL_GUARD_BITS), 16).astype(np.int16)


def reciprocal_root(variance: Float64) -> tuple[Int32, Int64]:
    """Y and ex with 1/sqrt(V) = Y * 2^-(16+ex), for integers V in [1, 2^53).

    With L = floor(log2 V), ex = L >> 1 and Y = RSQRT[(L & 1) * 1024 + the ten bits of V below
    its leading one].
    """
    mantissa, exponent = np.frexp(variance)
    leading = exponent.astype(np.int64) - 1
    below = np.floor(mantissa * (2 << TABLE_INDEX_BITS)).astype(np.int64) - (1 << TABLE_INDEX_BITS)
    return _TABLE[((leading & 1) << TABLE_INDEX_BITS) + below], leading >> 1


def normalise(x16: Int16, epsilon: int) -> Float64:
    """n = sat16(rshift(num * Y, ex + 6)) [T, C]: (x - mean)/deviation with 10 fraction bits."""
    x = x16.astype(np.float64)
    channels = x.shape[-1]
    total = x.sum(axis=-1, keepdims=True)
    squares = np.einsum("...c,...c->...", x, x)[..., None]
    root, half = reciprocal_root(channels * squares - total * total + epsilon)
    scale = root * 2.0 ** -(half + 16 - LAYERNORM_FRACTION_BITS)
    x *= channels
    x -= total
    x *= scale
    x += 0.5
    np.floor(x, out=x)
    return np.clip(x, *limits(16), out=x)


def layer_norm(x16: Int16, norm: LayerNorm) -> Int8:
    """y = sat8(rshift(n * gamma + beta, shift)): Int16 [T, C] to Int8 [T, C]."""
    unit = 2.0 ** -int(norm.shift)
    y = normalise(x16, norm.epsilon)
    y *= norm.gamma.astype(np.float64) * unit
    y += norm.beta.astype(np.float64) * unit + 0.5
    np.floor(y, out=y)
    return np.clip(y, -128, 127, out=y).astype(np.int8)
