"""Routers: 15-bit weights on one scale a gate, the task folded into the bias."""

import math

import numpy as np

from m3vit.hw.config import GateKind
from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import (
    ACCUMULATOR_LIMIT,
    GATE_DELTA_LIMIT,
    GATE_DIFFERENCE_LIMIT,
    GATE_LOW_BITS,
    GATE_UNIT,
    SHIFT_LIMIT,
    WEIGHT_LIMIT,
    Float64,
)
from m3vit.hw.quantised import Gate
from m3vit.model.quantise.bounds import worst_sums
from m3vit.model.quantise.linear import BYTE, FACTOR_LIMIT
from m3vit.model.quantise.source import Source

LOW_HALF = 1 << (GATE_LOW_BITS - 1)
GATE_WEIGHT_LIMIT = WEIGHT_LIMIT * 2 * LOW_HALF + LOW_HALF - 1
"""16319 = 128 * 127 + 63."""

LOGIT_LIMIT = 1 << 31

FINEST = GATE_UNIT * GATE_DELTA_LIMIT / GATE_DIFFERENCE_LIMIT
"""Smallest value of one logit code for which a clipped difference still means probability 0."""


def split_gate(codes: Float64) -> tuple[Float64, Float64]:
    """``code = 128 * high + low`` with low in [-64, 63]."""
    high = np.floor((codes + LOW_HALF) / (2 * LOW_HALF))
    return high, codes - 2 * LOW_HALF * high


def gate_scale(weight: Float64, bias: Float64) -> float:
    """Value of one logit code: 15-bit weights, and a bias that leaves the columns room."""
    limits = (np.abs(weight).max() / GATE_WEIGHT_LIMIT, np.abs(bias).max() / 2.0**28, FINEST)
    return float(max(limits))


def difference_factor(scale: float) -> tuple[int, int]:
    """(factor, shift) that turn logit codes into units of ln2/64."""
    ratio = scale / GATE_UNIT
    shift = min(SHIFT_LIMIT, math.floor(math.log2((FACTOR_LIMIT + 0.5) / ratio)))
    return min(FACTOR_LIMIT, math.floor(ratio * 2.0**shift + 0.5)), shift


def _check(name: str, weight: Float64, bias: Float64, limit: int) -> None:
    sums = worst_sums(weight, bias, BYTE, 1.0)
    if sums.max() >= limit:
        raise QuantisationError(
            f"{name} expert {int(sums.argmax())} may reach {sums.max():.0f}, expected below "
            f"{limit}; its bias is too large for its weights"
        )


def check_gate(name: str, weight: Float64, bias: Float64) -> None:
    """Both columns must stay below 2^26, the logit below 2^31.

    Raises:
        QuantisationError: names the column and the expert.
    """
    weights, biases = split_gate(weight), split_gate(bias)
    _check(f"{name} high column", weights[0], biases[0], ACCUMULATOR_LIMIT)
    _check(f"{name} low column", weights[1], biases[1], ACCUMULATOR_LIMIT)
    _check(f"{name} logit", weight, bias, LOGIT_LIMIT)


def make_gate(name: str, weight: Float64, bias: Float64) -> Gate:
    """One router from weights [E, d] on LayerNorm codes and a bias [E].

    Raises:
        QuantisationError: a column's accumulator may reach 2^26.
    """
    scale = gate_scale(weight, bias)
    codes, offset = np.floor(weight / scale + 0.5), np.floor(bias / scale + 0.5)
    check_gate(name, codes, offset)
    factor, shift = difference_factor(scale)
    return Gate(
        weight=codes.astype(np.int16),
        bias=offset.astype(np.int32),
        factor=factor,
        shift=shift,
        scale=scale,
    )


def _task_gate(source: Source, block: int, task: int, norm_scale: Float64) -> Gate:
    prefix = f"backbone.blocks.{block}.mlp.gate"
    multi = source.config.gate is GateKind.MULTI
    weight = source.weights[f"{prefix}.{task}.w_gate" if multi else f"{prefix}.w_gate"].T
    width = source.config.width
    bias = np.zeros(len(weight))
    if source.config.gate is GateKind.CONDITIONED:
        bias = weight[:, width:] @ source.task_features[task]
    # A constant added to all logits cannot be seen by softmax or by the choice.
    bias = bias - (bias.max() + bias.min()) / 2
    return make_gate(f"block {block} gate of task {task}", weight[:, :width] * norm_scale, bias)


def quantise_gates(source: Source, block: int, norm_scale: Float64) -> tuple[Gate, ...]:
    """One gate a task (all alike for GateKind.SINGLE); none in dense blocks."""
    if not source.config.is_moe(block):
        return ()
    tasks = range(len(source.config.tasks))
    return tuple(_task_gate(source, block, task, norm_scale) for task in tasks)
