"""Proofs by worst-case arithmetic that integers stay within the contract's widths."""

import numpy as np

from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import ACCUMULATOR_LIMIT, Float64

HEAD_SUM_LIMIT = 1 << 31
"""Sums of the heads' convolutions are int32."""


def worst_sums(weight: Float64, bias: Float64, codes: tuple[int, int], gain: float) -> Float64:
    """Largest magnitude of ``gain * (weight @ code + bias)`` over all inputs in ``codes``; [N]."""
    rows = weight.reshape(len(bias), -1)
    positive, negative = np.maximum(rows, 0).sum(1), np.minimum(rows, 0).sum(1)
    high = positive * codes[1] + negative * codes[0] + bias
    low = positive * codes[0] + negative * codes[1] + bias
    return np.asarray(gain * np.maximum(np.abs(high), np.abs(low)))


def check_accumulator(
    name: str, weight: Float64, bias: Float64, codes: tuple[int, int], gain: float
) -> None:
    """Refuse a layer whose accumulator could leave its width.

    Linear layers keep below 2^26; convolutions (weights of four dimensions) below 2^31.

    Raises:
        QuantisationError: names the layer and the channel.
    """
    limit = HEAD_SUM_LIMIT if weight.ndim == 4 else ACCUMULATOR_LIMIT
    sums = worst_sums(weight, bias, codes, gain)
    if sums.max() >= limit:
        worst = int(sums.argmax())
        raise QuantisationError(
            f"{name} channel {worst}: the accumulator may reach {sums[worst]:.0f}, expected below "
            f"{limit}; its bias is too large for its weights"
        )


def check_range(name: str, values: Float64, low: int, high: int) -> Float64:
    """``values`` unchanged if all lie in [low, high].

    Raises:
        QuantisationError: names ``name``, the channel (last axis) and the value.
    """
    wrong = (values < low) | (values > high)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise QuantisationError(
            f"{name} channel {int(place[-1])} is {values[tuple(place)]:.0f}, "
            f"expected {low} to {high}; the weights are out of proportion"
        )
    return values
