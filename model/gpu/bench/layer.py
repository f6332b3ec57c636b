"""One mixture-of-experts layer as a benchmark case: sizes, weights, work."""

from dataclasses import dataclass

import torch
from torch import Tensor

from m3vit.hw.config import ModelConfig
from m3vit.model.gpu.moe_layer import MoeLayer


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Operands of residual + sum_k w_k · W2_e gelu(W1_e x + b1_e) + b2_e on one device."""

    top_k: int
    gate: Tensor
    """float32 [E, d]."""
    first: Tensor
    """[E, h, d]."""
    first_bias: Tensor
    """float32 [E, h]."""
    second: Tensor
    """[E, d, h]."""
    second_bias: Tensor
    """float32 [E, d]."""

    @property
    def experts(self) -> int:
        """E."""
        return len(self.gate)


def random_layer(
    config: ModelConfig, device: torch.device, kind: torch.dtype, seed: int = 0
) -> Layer:
    """Weights of ``config``'s sizes, drawn so that activations keep their spread."""
    torch.manual_seed(seed)
    experts, width, hidden = config.experts, config.width, config.expert_hidden

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device).mul(shape[-1] ** -0.5)

    return Layer(
        top_k=config.top_k,
        gate=drawn(experts, width),
        first=drawn(experts, hidden, width).to(kind),
        first_bias=0.1 * drawn(experts, hidden),
        second=drawn(experts, width, hidden).to(kind),
        second_bias=0.1 * drawn(experts, width),
    )


def layer_of(mixture: MoeLayer, task: int) -> Layer:
    """The same operands as one mixture of a network has for ``task`` (its gate has no bias)."""
    return Layer(
        top_k=mixture.top_k,
        gate=mixture.gates[min(task, len(mixture.gates) - 1)][0],
        first=mixture.first.weight,
        first_bias=mixture.first.bias,
        second=mixture.second.weight,
        second_bias=mixture.second.bias,
    )


def flops_of(config: ModelConfig, tokens: int) -> float:
    """Two a multiply-accumulate: gate, and both products of K experts a token."""
    macs = config.experts + 2 * config.top_k * config.expert_hidden
    return 2.0 * tokens * config.width * macs


def least_bytes(config: ModelConfig, tokens: int, element_bytes: int) -> float:
    """DRAM bytes that no implementation avoids: input, residual and output once, weights once.

    With fewer pairs than experts only so many experts can be live.
    """
    live = min(config.experts, tokens * config.top_k)
    weights = 2.0 * live * config.width * config.expert_hidden * element_bytes
    return weights + 3.0 * tokens * config.width * element_bytes
