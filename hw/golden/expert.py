"""Experts, and the dense MLP as experts that every token visits (hw/CONTRACT.md section 2)."""

from collections.abc import Iterator

import numpy as np

from m3vit.hw.formats import Int8, Int32, UInt16
from m3vit.hw.golden.gelu import gelu
from m3vit.hw.golden.linear import linear8, linear18
from m3vit.hw.golden.residual import add
from m3vit.hw.golden.rounding import rshift
from m3vit.hw.quantised import Expert, Mlp
from m3vit.hw.routing import RoutingPlan

GATE_SCORE_BITS = 16


def hidden(h: Int8, expert: Expert, table: Int8) -> Int8:
    """gelu(requantise8(fc1)): h [n, d] to [n, hidden]."""
    return gelu(linear8(h, expert.fc1), expert.hidden_class, table)


def all_hidden(h: Int8, mlp: Mlp, plan: RoutingPlan | None) -> Int8:
    """Hidden activations for an observer: [T, chunks * d] dense, [P, hidden] in plan order."""
    if plan is None:
        return np.concatenate([hidden(h, chunk, mlp.gelu) for chunk in mlp.experts], axis=1)
    live = [number for number, count in enumerate(plan.counts) if count]
    return np.concatenate(
        [hidden(h[plan.tokens[plan.pairs(e)]], mlp.experts[e], mlp.gelu) for e in live]
    )


def weigh(y: Int32, weights: UInt16, guard_bits: int) -> Int32:
    """Contributions rshift(y * w, 16 + g) of outputs y [n, d] with gate scores w [n]."""
    wide = y.astype(np.int64) * weights.astype(np.int64)[:, None]
    return rshift(wide, GATE_SCORE_BITS + guard_bits).astype(np.int32)


def add_dense(x18: Int32, h: Int8, mlp: Mlp) -> tuple[Int32, int]:
    """The dense MLP: every chunk's output added to all tokens, chunks ascending.

    Returns the new residual x18 [T, d] and the number of saturated additions.
    """
    saturations = 0
    for expert in mlp.experts:
        x18, count = add(x18, linear18(hidden(h, expert, mlp.gelu), expert.fc2))
        saturations += count
    return x18, saturations


def contributions(h: Int8, mlp: Mlp, plan: RoutingPlan) -> Iterator[tuple[Int32, Int32]]:
    """Tokens [n] and contributions [n, d] of each expert that has tokens, experts ascending."""
    for number, expert in enumerate(mlp.experts):
        pairs = plan.pairs(number)
        tokens = plan.tokens[pairs]
        if len(tokens):
            y = linear18(hidden(h[tokens], expert, mlp.gelu), expert.fc2)
            yield tokens, weigh(y, plan.weights[pairs], mlp.guard_bits)


def add_experts(x18: Int32, h: Int8, mlp: Mlp, plan: RoutingPlan) -> tuple[Int32, int]:
    """The mixture: each expert's weighted outputs added to its tokens, experts ascending.

    Returns the new residual x18 [T, d] and the number of saturated additions.
    """
    result, saturations = x18.copy(), 0
    for tokens, contribution in contributions(h, mlp, plan):
        result[tokens], count = add(result[tokens], contribution)
        saturations += count
    return result, saturations
