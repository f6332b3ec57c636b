"""Float expert products against float64, token by token."""

import pytest
import torch
from torch.nn import functional as F

from m3vit.model.kernels.interface import FloatLinear
from tests.model.kernels.both import BOTH, DEVICE, implementation
from tests.model.kernels.routings import ROUTINGS, routing

WIDTH, HIDDEN = 32, 48
ROUNDING = {torch.float32: 2.0**-22, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}
"""Unit in the last place around one; the products are sums of 32 to 48 terms of about 0.2."""


def layer(experts: int, outputs: int, inputs: int, kind: torch.dtype) -> FloatLinear:
    weight = torch.randn(experts, outputs, inputs, dtype=torch.float64) * 0.2
    bias = torch.randn(experts, outputs)
    return FloatLinear(weight.to(kind).to(DEVICE), bias.to(DEVICE))


def exact(
    x: torch.Tensor, first: FloatLinear, second: FloatLinear, indices: torch.Tensor, w: torch.Tensor
) -> torch.Tensor:
    out = torch.zeros(x.shape, dtype=torch.float64)
    for token, row in enumerate(indices.tolist()):
        for rank, expert in enumerate(row):
            one, two = ([each[expert].double().cpu() for each in part] for part in (first, second))
            hidden = F.gelu(one[0] @ x[token].double().cpu() + one[1])
            out[token] += w[token, rank].double().cpu() * (two[0] @ hidden + two[1])
    return out


@BOTH
@pytest.mark.parametrize("case", ROUTINGS)
@pytest.mark.parametrize("kind", list(ROUNDING), ids=str)
def test_layer_equals_float64_within_rounding(name: str, case: str, kind: torch.dtype) -> None:
    torch.manual_seed(1)
    kernels = implementation(name)
    indices, experts = routing(case)
    x = torch.randn(len(indices), WIDTH).to(kind).to(DEVICE)
    weights = torch.rand(indices.shape).to(DEVICE)
    first, second = layer(experts, HIDDEN, WIDTH, kind), layer(experts, WIDTH, HIDDEN, kind)
    plan = kernels.sort_pairs(indices.to(DEVICE), experts)
    hidden = kernels.expand(x, first, plan, indices.shape[1])
    parts = kernels.contract(hidden, second, plan, weights)
    residual = torch.randn(len(indices), WIDTH).to(kind).to(DEVICE)
    got = kernels.combine(parts, residual)
    assert got.dtype == kind and parts.shape == (*indices.shape, WIDTH)
    expected = exact(x, first, second, indices, weights) + residual.double().cpu()
    # a few roundings of values that the sum of magnitudes bounds by some tens
    bound = 4 * ROUNDING[kind] * (1 + indices.shape[1]) * max(4, expected.abs().max().item())
    assert (got.double().cpu() - expected).abs().max() <= bound


@BOTH
def test_small_integers_are_exact_and_the_order_of_ranks_is_fixed(name: str) -> None:
    kernels = implementation(name)
    indices, experts = routing("even")
    torch.manual_seed(2)
    parts = torch.randint(-50, 50, (*indices.shape, 40)).float().to(DEVICE)
    residual = torch.randint(-50, 50, (len(indices), 40)).float().to(DEVICE)
    assert torch.equal(kernels.combine(parts, residual), residual + parts.sum(1))


@BOTH
def test_each_row_meets_its_own_expert(name: str) -> None:
    kernels = implementation(name)
    indices, experts = routing("most experts")
    x = torch.ones(len(indices), WIDTH, device=DEVICE)
    numbers = torch.arange(experts, dtype=torch.float32, device=DEVICE)
    bias = (100 + numbers)[:, None].expand(experts, HIDDEN).contiguous()
    zero = torch.zeros(experts, HIDDEN, WIDTH, device=DEVICE)
    plan = kernels.sort_pairs(indices.to(DEVICE), experts)
    hidden = kernels.expand(x, FloatLinear(zero, bias), plan, indices.shape[1])
    chosen = indices.flatten()[plan.pairs.cpu().long()].to(DEVICE)
    assert torch.equal(hidden, (100.0 + chosen)[:, None].expand_as(hidden))
