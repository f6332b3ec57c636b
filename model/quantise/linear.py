"""Integer linear layers: weight steps that are exact multiples of what the requantiser can do.

The requantiser computes ``acc * M * 2^-n`` with an integer M of 16 bits.  Instead of rounding M to
the weights' scale, the weights are put on the scale that an integer M means: the step of output o
is exactly ``M_o * 2^-n * out_scale_o``, so requantisation adds no scale error.
"""

from dataclasses import dataclass, replace

import numpy as np

from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import FACTOR_BITS, SHIFT_LIMIT, WEIGHT_LIMIT, Float64
from m3vit.hw.quantised import Linear
from m3vit.model.quantise.bounds import check_accumulator

FACTOR_LIMIT = (1 << FACTOR_BITS) - 1
BIAS_LIMIT = 1 << 23
"""A step is large enough that the layer's own bias stays below this code."""

BYTE = (-128, 127)
"""Codes of a signed activation."""


@dataclass(frozen=True, kw_only=True)
class Affine:
    """A float layer ready for rounding: scales of its inputs are folded into ``weight``.

    ``real output = weight @ (code + offset) + bias``, to become codes of ``out_scale``.
    """

    name: str
    weight: Float64
    """[N, ...], contracted over all axes but the first."""
    bias: Float64
    """[N]."""
    out_scale: Float64
    """[N], value of one output code."""
    offset: Float64
    """Value of input code 0 in units of the input scale; broadcasts to ``weight[0]``."""
    codes: tuple[int, int] = BYTE
    """Smallest and largest input code."""
    gain: float = 1.0
    """How much larger than ``weight @ code`` the accumulator is (16 after an interpolation)."""


def affine(name: str, weight: Float64, bias: Float64, out_scale: Float64 | float) -> Affine:
    """An :class:`Affine` whose input code 0 means 0."""
    return Affine(
        name=name,
        weight=weight,
        bias=bias,
        out_scale=np.broadcast_to(np.asarray(out_scale, np.float64), bias.shape),
        offset=np.zeros(weight.shape[1:]),
    )


def scale_inputs(layer: Affine, scale: Float64) -> Affine:
    """Fold the input scale into the weights; ``scale`` broadcasts to ``weight[0]``."""
    return replace(layer, weight=layer.weight * scale)


def ratio(layer: Affine) -> Float64:
    """Smallest ``M * 2^-n`` of every output that holds its weights and its bias."""
    rows = layer.weight.reshape(len(layer.bias), -1)
    step = np.maximum(np.abs(rows).max(1) / WEIGHT_LIMIT, np.abs(layer.bias) / BIAS_LIMIT)
    return np.asarray(step / (layer.out_scale * layer.gain))


def common_shift(layers: list[Affine]) -> int:
    """Largest shift with which every factor of ``layers`` fits 16 bits.

    Raises:
        QuantisationError: a factor would not fit even with the smallest shift.
    """
    worst = max(layers, key=lambda layer: float(ratio(layer).max()))
    top = float(ratio(worst).max())
    fits = [n for n in range(1, SHIFT_LIMIT + 1) if np.ceil(top * 2.0**n) <= FACTOR_LIMIT]
    if not fits:
        raise QuantisationError(
            f"{worst.name} channel {int(ratio(worst).argmax())} needs a factor of {top:.4g}, "
            f"expected at most {FACTOR_LIMIT / 2}; its weights are too large for its output range"
        )
    return max(fits)


def integers(layer: Affine, shift: int) -> Linear:
    """Round ``layer`` with the given shift.

    The bias includes the input offset times the *integer* weights, so that an offset costs no
    more than the rounding of the weights themselves.

    Raises:
        QuantisationError: an accumulator may reach 2^26.
    """
    factor = np.clip(np.ceil(ratio(layer) * 2.0**shift), 1, FACTOR_LIMIT)
    step = factor * 2.0**-shift * layer.out_scale * layer.gain
    column = step.reshape(-1, *[1] * (layer.weight.ndim - 1))
    weight = np.clip(np.floor(layer.weight / column + 0.5), -WEIGHT_LIMIT, WEIGHT_LIMIT)
    folded = (weight * layer.offset).reshape(len(step), -1).sum(1)
    bias = np.floor(layer.bias / step + folded + 0.5)
    check_accumulator(layer.name, weight, bias, layer.codes, layer.gain)
    return Linear(
        weight=weight.astype(np.int8),
        bias=bias.astype(np.int32),
        factor=factor.astype(np.uint16),
        shift=shift,
    )


def quantise_linear(layer: Affine) -> Linear:
    """Round one layer that shares its shift with no other."""
    return integers(layer, common_shift([layer]))
