"""Optimiser, learning-rate schedule and weight average."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from m3vit.model.train.settings import TrainSettings

_UNDECAYED = ("cls_token", "pos_embed")


def make_optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW or SGD with momentum 0.9; biases, norms, class token and positions do not decay."""
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, value in network.named_parameters():
        bias = name.endswith(".bias") or value.ndim < 2 or name.endswith(_UNDECAYED)
        (kept if bias else decayed).append(value)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def learning_rate(settings: TrainSettings, step: int) -> float:
    """Linear warm-up, then a half cosine to 1 % or a polynomial of power 0.9 to 0."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    if settings.schedule == "poly":
        return float(settings.learning_rate * (1 - done) ** 0.9)
    return settings.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


class WeightAverage:
    """Exponential average of all floating-point entries of a state dict.

    The decay starts low, min(decay, (1 + n)/(10 + n)), so that early values are forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, state: Mapping[str, Tensor], step: int) -> None:
        """Move towards ``state`` after optimiser step number ``step``."""
        rate = 1 - min(self.decay, (1 + step) / (10 + step))
        floats = [k for k, v in self.values.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.values[k] for k in floats], [state[k] for k in floats], rate)
        for key, value in state.items():
            if not value.is_floating_point():
                self.values[key].copy_(value)
