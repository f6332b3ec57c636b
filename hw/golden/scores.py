"""Attention scores: sat10(rshift(sum q * k, n)) in units of ln2/16 (hw/CONTRACT.md section 2)."""

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import (
    SCORE_BITS,
    SCORE_SHIFT_LIMIT,
    WEIGHT_LIMIT,
    Float32,
    Int8,
    Int16,
)
from m3vit.hw.golden.linear import EXACT_FLOAT32
from m3vit.hw.golden.rounding import limits

_HEAD_LIMIT = (EXACT_FLOAT32 - (1 << (SCORE_SHIFT_LIMIT - 1))) // (128 * WEIGHT_LIMIT)


def scores_by_key(queries: Float32, keys: Float32, shift: int) -> Float32:
    """Scores [T, B] of B queries [B, dh] against T keys [T, dh], integers carried in float32.

    Key-major, so that the softmax chains run over whole rows.  Exact: |q * k| summed and half of
    2^shift stay below 2^24 for dh <= 1031.

    Raises:
        ConfigurationError: the head is too wide.
    """
    if queries.shape[-1] > _HEAD_LIMIT:
        raise ConfigurationError(
            f"head dimension is {queries.shape[-1]}, expected at most {_HEAD_LIMIT}"
        )
    scaled = queries * np.float32(2.0 ** -int(shift))
    result: Float32 = np.matmul(keys, scaled.T)
    if shift:
        result += np.float32(0.5)
        np.floor(result, out=result)
    return np.clip(result, *limits(SCORE_BITS), out=result)


def scores(q: Int8, k: Int8, shift: int) -> Int16:
    """Scores of one head: q [Tq, dh], k [T, dh] to [Tq, T] in [-512, 511]; shift 0 to 15."""
    by_key = scores_by_key(q.astype(np.float32), k.astype(np.float32), shift)
    return by_key.T.astype(np.int16)
