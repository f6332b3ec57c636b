"""GELU as two tables of 256 entries, the zero points folded into the layers on both sides.

Nearly all outputs of a GELU lie in [-0.17, 0] while its largest is 5 to 14, so every code counts:
inputs cover [-3, hi] (below -3 GELU is 0 to three digits), outputs [-0.17, GELU(hi)], and hidden
units that never reach far share a second, finer table.
"""

import math
from dataclasses import dataclass

import numpy as np

from m3vit.hw.formats import Float64, Int8, UInt8
from m3vit.model.quantise.scales import HEADROOM

LOWEST = -3.0
DEEPEST = -0.7517915246
"""Where GELU has its minimum, -0.16997."""

CLIPPED = 0.5
"""The lowest code stands for all inputs below -3 too, whose GELU lies between its own and 0."""

MINIMUM_TOKENS = 64
"""Hidden units seen on fewer tokens get the wide class: their maximum is not known well."""

_erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: Float64) -> Float64:
    """``x/2 * (1 + erf(x / sqrt 2))``."""
    return np.asarray(0.5 * x * (1 + _erf(x / math.sqrt(2))))


@dataclass(frozen=True, kw_only=True)
class GeluTables:
    """Both tables of a block and the scales on their two sides, one entry a class.

    Input code c means ``in_scale * (c + in_offset)``, output code ``out_scale * (c + out_offset)``.
    """

    table: Int8
    in_scale: Float64
    in_offset: Float64
    out_scale: Float64
    out_offset: Float64


def _one(low: float, high: float) -> tuple[Float64, tuple[float, float, float, float]]:
    in_scale = (high - low) / 255
    in_offset = 128 + low / in_scale
    bottom = float(gelu(np.array(max(low, DEEPEST))))
    top = max(float(gelu(np.array(high))), 0.0)
    out_scale = (top - bottom) / 254  # one code to spare, so that 0 is a code
    zero = math.floor(-bottom / out_scale + 0.5) - 128
    values = gelu(in_scale * (np.arange(-128, 128) + in_offset))
    values[0] *= CLIPPED if low <= LOWEST else 1.0
    table = np.clip(np.floor(values / out_scale + 0.5) + zero, -128, 127)
    return table, (in_scale, in_offset, out_scale, float(-zero))


def make_tables(low: float, highs: tuple[float, float]) -> GeluTables:
    """Tables over [low, high] for the two classes."""
    parts = [_one(low, high) for high in highs]
    scales = np.array([scale for _, scale in parts]).T
    return GeluTables(
        table=np.array([table for table, _ in parts]).astype(np.int8),
        in_scale=scales[0],
        in_offset=scales[1],
        out_scale=scales[2],
        out_offset=scales[3],
    )


def input_range(low: float, high: float) -> tuple[float, float]:
    """What the wide table covers, given the calibrated extremes of all hidden units."""
    return max(LOWEST, min(HEADROOM * low, -0.01)), max(HEADROOM * high, 0.01)


def narrow_limit(low: float, high: float, reaches: Float64, importance: Float64) -> float:
    """Upper end of the narrow class: what minimises the summed squared step.

    Args:
        low: lower end of both classes.
        high: upper end of the wide class.
        reaches: per hidden unit, what its class must cover (headroom included).
        importance: per hidden unit, how its output's error counts (squared norm of its weights).

    Returns:
        One of ``reaches``, or ``high`` if none is smaller.
    """
    order = np.argsort(reaches)
    ends = np.clip(reaches[order], 0.01, high)
    below = np.cumsum(importance[order])
    cost = below * (ends - low) ** 2 + (below[-1] - below) * (high - low) ** 2
    return float(ends[int(cost.argmin())])


def classes(reaches: Float64, limit: float) -> UInt8:
    """1 for hidden units that stay within the narrow table."""
    return (reaches <= limit).astype(np.uint8)
