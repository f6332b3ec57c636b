"""Routing into experts and back, and the extremes of routing."""

import pytest
import torch

from m3vit.hw.config import GateKind, ModelConfig
from m3vit.model.network.context import Context
from m3vit.model.network.moe import Moe
from tests.model.micro import micro_config


def layer(config: ModelConfig, seed: int = 0) -> Moe:
    torch.manual_seed(seed)
    moe = Moe(config, 1).double()
    with torch.no_grad():
        for value in moe.experts.parameters():
            value.normal_(std=0.3)
    return moe


def one_by_one(moe: Moe, x: torch.Tensor, indices: torch.Tensor, weights: torch.Tensor):
    out = torch.zeros_like(x)
    first, second = moe.experts.htoh4, moe.experts.h4toh
    for b, t in torch.cartesian_prod(torch.arange(x.shape[0]), torch.arange(x.shape[1])).tolist():
        for e, weight in zip(indices[b, t].tolist(), weights[b, t], strict=True):
            hidden = torch.nn.functional.gelu(first.weight[e] @ x[b, t] + first.bias[e])
            out[b, t] += weight * (second.weight[e] @ hidden + second.bias[e])
    return out


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_equals_experts_applied_token_by_token(top_k: int) -> None:
    config = micro_config(top_k=top_k)
    moe = layer(config).eval()
    x = torch.randn(2, config.tokens, config.width, dtype=torch.float64)
    seen: dict[str, torch.Tensor] = {}
    context = Context(task=0, observe=lambda n, b, v, e: seen.__setitem__(n, v))
    out = moe(x, context)
    torch.testing.assert_close(out, one_by_one(moe, x, seen["topk"], seen["weights"]))


@pytest.mark.parametrize("expert", [0, 4])
def test_all_tokens_to_one_expert(expert: int) -> None:
    config = micro_config(top_k=1)
    moe = layer(config)
    x = torch.randn(2, config.tokens, config.width, dtype=torch.float64)
    indices = torch.full((2, config.tokens, 1), expert)
    weights = torch.ones(2, config.tokens, 1, dtype=torch.float64)
    seen: list[tuple[int | None, int]] = []
    context = Context(
        task=0,
        route={1: (indices, weights)},
        observe=lambda n, b, v, e: seen.append((e, len(v))) if n == "expert_out" else None,
    )
    torch.testing.assert_close(moe(x, context), one_by_one(moe, x, indices, weights))
    assert seen == [(expert, 2 * config.tokens)]


def test_order_of_ranks_does_not_change_the_sum_beyond_rounding() -> None:
    config = micro_config()
    moe = layer(config)
    x = torch.randn(1, config.tokens, config.width, dtype=torch.float64)
    indices = torch.tensor([[3, 1]]).expand(1, config.tokens, 2)
    weights = torch.tensor([[0.7, 0.2]], dtype=torch.float64).expand(1, config.tokens, 2)
    outputs = [
        moe(x, Context(task=0, route={1: (i, w)}))
        for i, w in ((indices, weights), (indices.flip(-1), weights.flip(-1)))
    ]
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-13)


def test_gradients_equal_those_of_the_token_loop() -> None:
    config = micro_config()
    moe = layer(config)
    x = torch.randn(2, config.tokens, config.width, dtype=torch.float64)
    indices = torch.stack([torch.randperm(5)[:2] for _ in range(2 * config.tokens)])
    indices = indices.view(2, config.tokens, 2)
    weights = torch.rand(2, config.tokens, 2, dtype=torch.float64)
    parameters = list(moe.experts.parameters())
    fast = moe(x, Context(task=0, route={1: (indices, weights)})).square().sum()
    slow = one_by_one(moe, x, indices, weights).square().sum()
    for a, b in zip(
        torch.autograd.grad(fast, parameters), torch.autograd.grad(slow, parameters), strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", list(GateKind))
def test_only_multi_and_conditioned_gates_see_the_task(kind: GateKind) -> None:
    config = micro_config(gate=kind)
    moe = layer(config)
    x = torch.randn(1, config.tokens, config.width, dtype=torch.float64)
    logits = []
    for task in range(2):
        feature = None
        if kind is GateKind.CONDITIONED:
            feature = torch.full((config.gate_task_width,), 1.0 + task, dtype=torch.float64)
        logits.append(moe.logits(x, Context(task=task, task_feature=feature)))
    assert torch.equal(logits[0], logits[1]) == (kind is GateKind.SINGLE)
    if kind is GateKind.CONDITIONED:
        shift = logits[1] - logits[0]
        torch.testing.assert_close(shift, shift[:, :1].expand_as(shift)), "one bias an expert"


def test_noise_and_losses_belong_to_training_alone() -> None:
    config = micro_config()
    moe = layer(config).eval()
    moe.noise = 50.0
    x = torch.randn(1, config.tokens, config.width, dtype=torch.float64)
    assert torch.equal(moe(x, Context(task=0)), moe(x, Context(task=0)))
    assert moe.balance_loss is None
    moe.train()
    assert not torch.equal(moe(x, Context(task=0)), moe(x, Context(task=0)))
    assert moe.balance_loss is not None and moe.indecision_loss is not None
