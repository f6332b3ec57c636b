"""Softmax rows as unnormalised u8 probabilities with error feedback (hw/CONTRACT.md section 2).

The chain t = r + e; p = t >> 8; r = t & 255 is a running sum: after key j of a chain, the sum of
its p is floor(S_j / 256) with S_j = 128 + e_0 + ... + e_j.  So p is the difference of two floors,
computed for all chains and queries at once.  S stays below 2^24 (exact in float32) up to 258 keys
a chain.
"""

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import CHAINS, Float32, Int16, Int32, UInt8, exponential_table

_DELTAS = np.arange(256)
_EXPONENTIAL = (exponential_table()[_DELTAS & 15] >> (_DELTAS >> 4)).astype(np.float32)
_KEY_LIMIT = CHAINS * 258


def exponentials(scores: Float32) -> Float32:
    """e = EXP[d & 15] >> (d >> 4), d = min(255, max - s), of key-major scores [T, B]."""
    delta = (scores.max(axis=0) - scores).astype(np.intp)
    e: Float32 = _EXPONENTIAL.take(delta, mode="clip")  # clips to 255; d is never negative
    return e


def _running_floors(e: Float32) -> Float32:
    """floor(S_j / 256), [ceil(T/32) + 1, 32, B], row 0 before the first key (zero)."""
    keys, queries = e.shape
    steps = -(-keys // CHAINS)
    sums = np.zeros(((steps + 1) * CHAINS, queries), dtype=np.float32)
    sums[CHAINS : CHAINS + keys] = e  # keys that pad the last step weigh nothing
    sums[:CHAINS] = 128
    by_step = sums.reshape(steps + 1, CHAINS * queries)
    for step in range(steps):
        by_step[step + 1] += by_step[step]
    by_step *= np.float32(1 / 256)
    np.floor(by_step, out=by_step)
    return by_step.reshape(steps + 1, CHAINS, queries)


def probabilities_by_key(scores: Float32) -> tuple[Float32, Int32]:
    """p [T, B] in [0, 254] and the denominators sum(p) [B], of key-major scores [T, B].

    Raises:
        ConfigurationError: more keys than the chains hold exactly.
    """
    keys, queries = scores.shape
    if keys > _KEY_LIMIT:
        raise ConfigurationError(f"{keys} tokens, expected at most {_KEY_LIMIT}")
    floors = _running_floors(exponentials(scores))
    p = np.subtract(floors[1:], floors[:-1]).reshape(-1, queries)[:keys]
    return p, floors[-1].sum(axis=0).astype(np.int32)


def probabilities(scores: Int16) -> tuple[UInt8, Int32]:
    """p UInt8 [..., T] in [0, 254] and denominators Int32 [...] of score rows Int16 [..., T]."""
    rows = scores.reshape(-1, scores.shape[-1])
    p, denominators = probabilities_by_key(rows.T.astype(np.float32))
    shape = scores.shape
    return p.T.astype(np.uint8).reshape(shape), denominators.reshape(shape[:-1])
