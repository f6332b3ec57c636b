"""Attention of one head and of all: scores, softmax, A.V and its scale (hw/CONTRACT.md section 2).

acc = sum p * v is computed from p itself; the machine's sum (p - 128) * v + 128 * sum v is the
same integer.
"""

import numpy as np

from m3vit.hw.formats import WEIGHT_LIMIT, Float32, Float64, Int8, Int32, Int64
from m3vit.hw.golden.linear import EXACT_FLOAT32
from m3vit.hw.golden.reciprocal import reciprocal
from m3vit.hw.golden.scores import scores_by_key
from m3vit.hw.golden.softmax import probabilities_by_key
from m3vit.hw.quantised import Attention

QUERY_BLOCK = 64
"""Queries handled at a time: a block's scores stay in the processor's cache."""

_EXACT_KEYS = EXACT_FLOAT32 // (254 * WEIGHT_LIMIT)


def weigh_values(p: Float32, values: Float32) -> Float64:
    """acc [B, dh] = sum over keys of p [T, B] * v [T, dh], exact.

    float32 BLAS, cut every 520 keys so that 254 * 127 a key stays below 2^24.
    """
    total = np.zeros((p.shape[1], values.shape[1]))
    for start in range(0, len(p), _EXACT_KEYS):
        piece = slice(start, start + _EXACT_KEYS)
        total += np.matmul(p[piece].T, values[piece])
    return total


def row_factors(denominators: Int32, gain: int) -> tuple[Int64, Int64]:
    """F = (R * G + 2^15) >> 16 and L of each row, with R, L = reciprocal(D)."""
    inverse, leading = reciprocal(denominators)
    return (inverse * gain + (1 << 15)) >> 16, leading


def scale_rows(acc: Float64, denominators: Int32, gain: int, output_shift: int) -> Int8:
    """o = sat8(rshift(acc * F, 15 + L - a)) [B, dh]; acc * F < 2^42 is exact in float64."""
    factors, leading = row_factors(denominators, gain)
    scale = factors * 2.0 ** -(15 + leading - output_shift)
    result: Float64 = np.floor(acc * scale[:, None] + 0.5)
    return np.clip(result, -128, 127, out=result).astype(np.int8)


def attend(q: Int8, k: Int8, v: Int8, score_shift: int, gain: int, output_shift: int) -> Int8:
    """One head: q [Tq, dh], k and v [T, dh] to o [Tq, dh].

    ``gain`` is G in [2^15, 2^16), ``output_shift`` a in 0 to 6: o = softmax.v * G * 2^(a-15).
    """
    queries, keys, values = (each.astype(np.float32) for each in (q, k, v))
    output = np.empty(q.shape, dtype=np.int8)
    for start in range(0, len(q), QUERY_BLOCK):
        block = slice(start, start + QUERY_BLOCK)
        p, denominators = probabilities_by_key(scores_by_key(queries[block], keys, score_shift))
        acc = weigh_values(p, values)
        output[block] = scale_rows(acc, denominators, gain, output_shift)
    return output


def attention(q: Int8, k: Int8, v: Int8, layer: Attention, heads: int) -> Int8:
    """All heads: q, k, v [T, d] to o [T, d]; head h owns channels h*dh to (h+1)*dh."""
    size = q.shape[1] // heads
    output = np.empty(q.shape, dtype=np.int8)
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        output[:, own] = attend(
            q[:, own],
            k[:, own],
            v[:, own],
            int(layer.score_shift[head]),
            int(layer.output_gain[head]),
            int(layer.output_shift[head]),
        )
    return output
