"""The products of every expert with its own rows, in plain torch: one product an expert."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from m3vit.model.kernels.interface import FloatLinear, Plan


def segments(plan: Plan) -> Iterator[tuple[int, slice]]:
    """Every expert that has rows, and where they lie in the sorted order."""
    start = 0
    for expert, count in enumerate(plan.counts.tolist()):
        if count:
            yield expert, slice(start, start + count)
        start += count


def _product(rows: Tensor, layer: FloatLinear, expert: int) -> Tensor:
    return F.linear(rows, layer.weight[expert]).float() + layer.bias[expert]


def expand(x: Tensor, layer: FloatLinear, plan: Plan, top_k: int) -> Tensor:
    """gelu(x[token] @ W_eᵀ + b_e) [P, h] in x's type, rows in the plan's order; x [N, d]."""
    tokens = plan.pairs // top_k
    hidden = x.new_empty(len(tokens), layer.weight.shape[1])
    for expert, rows in segments(plan):
        hidden[rows] = F.gelu(_product(x[tokens[rows]], layer, expert)).to(x.dtype)
    return hidden


def contract(hidden: Tensor, layer: FloatLinear, plan: Plan, weights: Tensor) -> Tensor:
    """w * (hidden @ W_eᵀ + b_e) [N, K, d], each row scattered to its token and rank.

    ``hidden`` [P, h] in the plan's order, ``weights`` float32 [N, K].
    """
    out = hidden.new_empty(len(hidden), layer.weight.shape[1])
    flat = weights.flatten().unsqueeze(1)
    for expert, rows in segments(plan):
        pairs = plan.pairs[rows].long()
        out[pairs] = (_product(hidden[rows], layer, expert) * flat[pairs]).to(out.dtype)
    return out.view(*weights.shape, -1)


def combine(contributions: Tensor, residual: Tensor) -> Tensor:
    """residual + the contributions of a token, summed in float32, ranks ascending.

    ``contributions`` [N, K, d], ``residual`` [N, d]; the result has the residual's type.
    """
    total = torch.zeros_like(residual, dtype=torch.float32)
    for rank in range(contributions.shape[1]):
        total += contributions[:, rank].float()
    return (residual.float() + total).to(residual.dtype)
