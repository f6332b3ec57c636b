"""The router: logits, top-K and scores of the chosen experts (hw/CONTRACT.md section 2)."""

import numpy as np

from m3vit.hw.formats import (
    GATE_DELTA_LIMIT,
    GATE_DIFFERENCE_LIMIT,
    Float64,
    Int8,
    Int32,
    Int64,
    UInt16,
    gate_exponential_table,
)
from m3vit.hw.golden.reciprocal import reciprocal
from m3vit.hw.golden.rounding import rshift
from m3vit.hw.quantised import Gate
from m3vit.hw.routing import RoutingPlan

_EXPONENTIAL = gate_exponential_table().astype(np.int64)


def logits(h: Int8, gate: Gate) -> Int32:
    """z [T, E] = h [T, d] @ weight.T + bias with 15-bit weights.

    The machine forms 128 * (h @ hi) + h @ lo from two int8 columns: the same integer.  float64 is
    exact here (d * 128 * 16320 is far below 2^53) and |z| < 2^31 up to d = 768.
    """
    z: Float64 = np.matmul(h.astype(np.float64), gate.weight.T.astype(np.float64))
    return (z + gate.bias).astype(np.int32)


def top_experts(z: Int32, top_k: int) -> Int64:
    """Experts [T, K] by falling logit; of equal logits the lower index comes first."""
    order = np.argsort(-z.astype(np.int64), axis=1, kind="stable")
    return order[:, :top_k]


def exponentials(z: Int32, gate: Gate) -> Int64:
    """x [T, E] = GEXP[d & 63] >> (d >> 6), d = min(1023, rshift((max - z) * M, n))."""
    wide = z.astype(np.int64)
    difference = np.minimum(wide.max(axis=1, keepdims=True) - wide, GATE_DIFFERENCE_LIMIT)
    delta = np.minimum(rshift(difference * gate.factor, gate.shift), GATE_DELTA_LIMIT)
    x: Int64 = _EXPONENTIAL[delta & 63] >> (delta >> 6)
    return x


def gate_scores(z: Int32, gate: Gate) -> UInt16:
    """w [T, E] = min(65535, rshift(x * R, L)): the softmax over all experts, value w / 65536."""
    x = exponentials(z, gate)
    inverse, leading = reciprocal(x.sum(axis=1, keepdims=True))
    return np.minimum(rshift(x * inverse, leading), 65535).astype(np.uint16)


def route(h: Int8, gate: Gate, top_k: int) -> RoutingPlan:
    """The plan of one layer: every token of h [T, d] with its K experts and their scores."""
    z = logits(h, gate)
    chosen = top_experts(z, top_k)
    weights = np.take_along_axis(gate_scores(z, gate), chosen, axis=1)
    return RoutingPlan.from_choices(chosen, weights, experts=z.shape[1])
