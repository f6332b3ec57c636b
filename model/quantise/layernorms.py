"""LayerNorm with the scales of its outputs folded into gamma and beta."""

import numpy as np

from m3vit.hw.formats import LAYERNORM_EPSILON, LAYERNORM_FRACTION_BITS, SHIFT_LIMIT, Float64
from m3vit.hw.quantised import LayerNorm
from m3vit.model.quantise.bounds import check_range

GAMMA_LIMIT = 32767
BETA_LIMIT = 1 << 30
"""With |n * gamma| <= 2^30 the sum stays inside int32."""


def norm_shift(gamma: Float64, beta: Float64) -> int:
    """Largest shift with which gamma' fits int16 and beta' stays below 2^30; both in codes."""
    unit = 2.0**-LAYERNORM_FRACTION_BITS
    top_gamma, top_beta = float(np.abs(gamma).max()) * unit, float(np.abs(beta).max())
    fits = [
        shift
        for shift in range(SHIFT_LIMIT + 1)
        if top_gamma * 2.0**shift + 0.5 < GAMMA_LIMIT and top_beta * 2.0**shift < BETA_LIMIT
    ]
    return max(fits, default=0)


def integer_epsilon(width: int, fraction: int) -> int:
    """``max(1, round(1e-6 * C^2 * 2^(2f)))``: the addend of ``C*S2 - S1^2``."""
    return max(1, round(LAYERNORM_EPSILON * width**2 * 4.0**fraction))


def quantise_norm(
    name: str, gamma: Float64, beta: Float64, scale: Float64, fraction: int
) -> LayerNorm:
    """``y = sat8(rshift(n * gamma + beta, shift))`` whose codes are worth ``scale`` per channel.

    Raises:
        QuantisationError: gamma or beta does not fit with any shift.
    """
    gamma, beta = gamma / scale, beta / scale
    shift = norm_shift(gamma, beta)
    codes = np.floor(gamma * 2.0 ** (shift - LAYERNORM_FRACTION_BITS) + 0.5)
    offsets = np.floor(beta * 2.0**shift + 0.5)
    check_range(f"{name} gamma", codes, -GAMMA_LIMIT - 1, GAMMA_LIMIT)
    check_range(f"{name} beta", offsets, -BETA_LIMIT, BETA_LIMIT)
    return LayerNorm(
        gamma=codes.astype(np.int16),
        beta=offsets.astype(np.int32),
        shift=shift,
        epsilon=integer_epsilon(len(gamma), fraction),
    )
