"""Rules that turn calibrated ranges into scales; pure functions of arrays.

Sources of the constants: measured on trained networks; a headroom of 1.25 over the calibrated
maximum, and per-channel ranges drawn towards the tensor's largest by the exponent 0.75 (full
per-channel ranges fit the calibration images and clip on others).
"""

import math

import numpy as np

from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import RESIDUAL_FRACTION_BITS, SCORE_SHIFT_LIMIT, SCORE_UNIT, Float64

HEADROOM = 1.25
CHANNEL_EXPONENT = 0.75
ACTIVATION_STEPS = 127
FLOOR = 2.0**-10
"""Smallest range of a channel, relative to the tensor's largest: keeps dead channels usable."""


def floored(peaks: Float64) -> Float64:
    """Raise every entry to FLOOR x the largest; all-zero input becomes ones."""
    top = float(peaks.max(initial=0.0))
    return np.asarray(np.maximum(peaks, FLOOR * top) if top > 0 else np.ones_like(peaks))


def channel_scale(peaks: Float64, exponent: float = CHANNEL_EXPONENT) -> Float64:
    """Symmetric int8 scale of every channel: ``m^a * (max m)^(1-a) * headroom / 127``."""
    peaks = floored(peaks)
    mixed = peaks**exponent * peaks.max() ** (1 - exponent)
    return np.asarray(mixed * (HEADROOM / ACTIVATION_STEPS))


def residual_fraction(peak: float) -> int:
    """Largest f <= 9 with ``1.25 * peak <= 2^(15-f)``.

    Raises:
        QuantisationError: not even f = 0 holds the range.
    """
    if HEADROOM * peak > 2.0**15:
        raise QuantisationError(
            f"the residual reaches {peak:.6g}, expected at most {2**15 / HEADROOM:.6g}; "
            "the network diverges"
        )
    room = 15 - math.ceil(math.log2(max(HEADROOM * peak, 1.0)))
    return min(RESIDUAL_FRACTION_BITS, room)


def score_scales(query: float, key: float, head_dim: int) -> tuple[float, float, int]:
    """Scales of Q and K and the shift n that put scores on the unit ln2/16 of a power of two.

    ``s_q * s_k / sqrt(head_dim) * 2^n = ln2/16`` with s_q, s_k no smaller than the scales that
    the ranges ask for, if n can be that small; the excess is shared evenly (as a factor).

    Args:
        query: smallest scale that holds the range of Q.
        key: the same for K.
        head_dim: channels of the head.
    """
    unit = SCORE_UNIT * math.sqrt(head_dim)
    shift = math.floor(math.log2(unit / (query * key)))
    shift = min(max(shift, 0), SCORE_SHIFT_LIMIT)
    share = math.sqrt(unit * 2.0**-shift / (query * key))
    return query * share, key * share, shift


def output_gain(reach: float) -> tuple[int, int]:
    """Attention's output gain (G, a) for one head.

    Args:
        reach: largest output over V's largest code, headroom included; above 1 it counts as 1.

    Returns:
        G in [2^15, 2^16) and a in 0..6 with ``G * 2^(a-15) <= 1/reach``.
    """
    gain = min(max(1.0 / max(reach, 2.0**-8), 1.0), 127.99)
    exponent = min(int(math.floor(math.log2(gain))), 6)
    return min(int(gain * 2.0 ** (15 - exponent)), 65535), exponent


def gain_value(gain: int, exponent: int) -> float:
    """``G * 2^(a-15)``: how many times finer than V's codes the output's are."""
    return gain * 2.0 ** (exponent - 15)


def guard_bits(peak: float, fraction: int) -> int:
    """Largest g in 0..6 such that int18 at ``2^-(fraction+2+g)`` holds ``1.25 * peak``."""
    room = 15 - fraction - math.log2(max(HEADROOM * peak, 2.0**-20))
    return min(6, max(0, math.floor(room)))
