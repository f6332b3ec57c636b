"""The gate: logits without bias, softmax over all experts, top-K without renormalisation."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Routing(NamedTuple):
    """Which experts a token uses, best first, and with which weights; both [..., K]."""

    indices: Tensor
    weights: Tensor


class Gate(nn.Module):
    """``logits = x · w_gate``, with w_gate [inputs, experts]."""

    def __init__(self, inputs: int, experts: int) -> None:
        super().__init__()
        self.w_gate = nn.Parameter(torch.zeros(inputs, experts))
        bound = 1 / math.sqrt(experts)
        nn.init.uniform_(self.w_gate, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to logits [..., experts], never in reduced precision."""
        with torch.autocast(x.device.type, enabled=False):
            return torch.matmul(x.to(self.w_gate.dtype), self.w_gate)


def choose(logits: Tensor, top_k: int) -> Routing:
    """Softmax over all experts, then the ``top_k`` largest; ties go to the lower index.

    The choice is made on the logits: probabilities of distinct logits may round to equality.
    """
    order = torch.sort(logits, dim=-1, descending=True, stable=True).indices
    indices = order[..., :top_k]
    return Routing(indices, logits.softmax(-1).gather(-1, indices))


def cv_squared(x: Tensor) -> Tensor:
    """Squared coefficient of variation, unbiased; 0 for a single expert.

    Shazeer et al., "Outrageously Large Neural Networks", 2017, section 4.
    """
    if x.numel() == 1:
        return x.new_zeros(())
    return x.var() / (x.mean() ** 2 + 1e-10)


def expected_load(logits: Tensor, noisy: Tensor, top_k: int, std: float) -> Tensor:
    """Tokens that each expert may expect if the noise were drawn again, differentiable; [E].

    Sums over tokens P(logit + noise > the K-th largest of the other noisy logits), as Shazeer
    et al. 2017, appendix A, with thresholds in the same units as the logits.
    """
    top = noisy.topk(top_k + 1, dim=-1).values
    inside = noisy > top[..., top_k:]
    threshold = torch.where(inside, top[..., top_k:], top[..., top_k - 1 : top_k])
    return torch.sum(torch.special.ndtr((logits - threshold) / std).flatten(0, -2), dim=0)


def balance(logits: Tensor, noisy: Tensor, routing: Routing, std: float) -> Tensor:
    """cv²(importance) + cv²(load) over all tokens; without noise the load has no gradient."""
    experts = logits.shape[-1]
    gates = torch.zeros_like(logits).scatter(-1, routing.indices, routing.weights)
    importance = gates.flatten(0, -2).sum(0)
    if std > 0 and routing.indices.shape[-1] < experts:
        load = expected_load(logits, noisy, routing.indices.shape[-1], std)
    else:
        load = torch.bincount(routing.indices.flatten(), minlength=experts).to(logits.dtype)
    return cv_squared(importance) + cv_squared(load)


def indecision(logits: Tensor, top_k: int) -> Tensor:
    """How close tokens come to another choice of experts: mean of ``max(0, 1 - gap / spread)``.

    The gap lies between the last chosen and the first rejected logit, the spread is the standard
    deviation of all logits, so that larger logits alone gain nothing.  Small values keep the
    choice the same in integer arithmetic; ours, not in the original code.
    """
    if top_k == logits.shape[-1]:
        return logits.new_zeros(())
    top = logits.topk(top_k + 1, dim=-1).values
    gap = top[..., top_k - 1] - top[..., top_k]
    return (1 - gap / logits.std()).clamp(min=0).mean()
