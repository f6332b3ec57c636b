"""Work counted by the cost model equals the products that the network performs."""

from typing import Any

import pytest
import torch
from torch import nn

from m3vit.hw.cost.macs import encoder_macs, head_macs
from m3vit.model.network import M3ViT
from tests.model.micro import images, micro_config, rough


def counted(network: M3ViT, task: str) -> int:
    """MACs of every Linear, convolution, attention and expert product of one image."""
    total = 0

    def linear(module: nn.Linear, args: tuple[Any, ...], out: torch.Tensor) -> None:
        nonlocal total
        total += out.numel() * module.in_features

    def convolution(module: nn.Conv2d, args: tuple[Any, ...], out: torch.Tensor) -> None:
        nonlocal total
        total += out.numel() * module.weight[0].numel()

    def observe(name: str, block: int, value: torch.Tensor, expert: int | None) -> None:
        nonlocal total
        width = network.config.width
        if name == "q":
            total += 2 * network.config.tokens**2 * width
        elif name == "logits":
            total += value.numel() * width
        elif name == "expert_hidden":
            total += 2 * value.numel() * width

    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(linear)
        elif isinstance(module, nn.Conv2d):
            module.register_forward_hook(convolution)
    with torch.no_grad():
        network(images(network.config, batch=1), task, observe=observe)
    return total


@pytest.mark.parametrize(
    "changes",
    [{}, {"moe": False}, {"expert_ratio": 2, "top_k": 3}, {"blocks": 3, "head_width": 32}],
)
def test_cost_model_counts_what_the_network_computes(changes: dict[str, Any]) -> None:
    config = micro_config(**changes)
    for task in ("depth", "segmentation"):
        expected = encoder_macs(config) + head_macs(config, config.task(task))
        assert counted(rough(config), task) == expected
