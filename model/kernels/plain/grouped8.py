"""Integer linear layers and experts in plain torch; equal to ``m3vit.hw.golden.expert``."""

import torch
from torch import Tensor

from m3vit.hw.golden.expert import GATE_SCORE_BITS
from m3vit.model.kernels.integers import HIGHEST18, LOWEST18, add18, rshift
from m3vit.model.kernels.interface import Gelu, IntegerLinear, Plan
from m3vit.model.kernels.plain.grouped import segments


def _scaled(rows: Tensor, layer: IntegerLinear, expert: int) -> Tensor:
    """rshift((rows @ Wᵀ + bias) * M, n) as int64, not yet saturated; sums are exact in float64."""
    acc = (rows.double() @ layer.weight[expert].double().T).long() + layer.bias[expert]
    return rshift(acc * layer.factor[expert], layer.shift)


def _requantise8(rows: Tensor, layer: IntegerLinear, expert: int) -> Tensor:
    return torch.maximum(_scaled(rows, layer, expert), layer.lowest.long()).clamp(max=127)


def _requantise18(rows: Tensor, layer: IntegerLinear, expert: int) -> Tensor:
    return _scaled(rows, layer, expert).clamp(LOWEST18, HIGHEST18)


def _activate(codes: Tensor, gelu: Gelu, expert: int) -> Tensor:
    return gelu.table[gelu.classes[expert].long() * 256 + 128 + codes]


def linear8(x: Tensor, layer: IntegerLinear, gelu: Gelu | None) -> Tensor:
    """Dense layer with int8 outputs [N, outputs], through GELU's tables if given; x int8 [N, K]."""
    codes = _requantise8(x, layer, 0)
    return codes.to(torch.int8) if gelu is None else _activate(codes, gelu, 0)


def project8(x: Tensor, layer: IntegerLinear, x18: Tensor) -> tuple[Tensor, Tensor]:
    """sat18(x18 + requantise18(layer(x))) and the saturations; x int8 [N, K], x18 int32 [N, d]."""
    return add18(x18, _requantise18(x, layer, 0).int())


def expand8(h: Tensor, layer: IntegerLinear, gelu: Gelu, plan: Plan, top_k: int) -> Tensor:
    """gelu(requantise8(fc1)) int8 [P, hidden], rows in the plan's order; h int8 [N, d]."""
    tokens = plan.pairs // top_k
    hidden = h.new_empty(len(tokens), layer.weight.shape[1])
    for expert, rows in segments(plan):
        hidden[rows] = _activate(_requantise8(h[tokens[rows]], layer, expert), gelu, expert)
    return hidden


def contract8(
    hidden: Tensor, layer: IntegerLinear, plan: Plan, weights: Tensor, guard_bits: int
) -> Tensor:
    """Contributions rshift(y * w, 16 + g) int32 [N, K, d] with y = requantise18(fc2).

    ``hidden`` int8 [P, h] in the plan's order, ``weights`` int32 [N, K] of 16 bits.
    """
    out = hidden.new_empty(len(hidden), layer.weight.shape[1], dtype=torch.int32)
    flat = weights.flatten().long().unsqueeze(1)
    for expert, rows in segments(plan):
        pairs = plan.pairs[rows].long()
        y = _requantise18(hidden[rows], layer, expert)
        out[pairs] = rshift(y * flat[pairs], GATE_SCORE_BITS + guard_bits).int()
    return out.view(*weights.shape, -1)


def combine8(contributions: Tensor, indices: Tensor, x18: Tensor) -> tuple[Tensor, Tensor]:
    """x18 [N, d] plus its contributions [N, K, d], experts ascending, saturated after each.

    ``indices`` int32 [N, K] says which expert made which.  Returns the saturations as well.
    """
    order = indices.argsort(dim=1).unsqueeze(2).expand_as(contributions)
    sorted_by_expert = contributions.gather(1, order)
    saturations = torch.zeros((), dtype=torch.int64, device=x18.device)
    for step in range(indices.shape[1]):
        x18, count = add18(x18, sorted_by_expert[:, step])
        saturations = saturations + count
    return x18, saturations
