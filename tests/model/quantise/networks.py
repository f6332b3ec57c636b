"""Micro networks with the statistics of trained ones: uneven channels, outliers, biases."""

import numpy as np
import torch
from numpy.typing import NDArray

from m3vit.hw.config import GateKind, ModelConfig, TaskConfig, TaskKind
from m3vit.model.network import M3ViT


def micro_config(**changes: object) -> ModelConfig:
    values: dict[str, object] = {
        "name": "micro",
        "image_height": 64,
        "image_width": 64,
        "width": 64,
        "heads": 2,
        "blocks": 4,
        "experts": 4,
        "top_k": 2,
        "gate": GateKind.MULTI,
        "gate_task_width": 8,
        "head_width": 16,
        "tasks": (
            TaskConfig(name="classes", kind=TaskKind.SEGMENTATION, channels=5),
            TaskConfig(name="depth", kind=TaskKind.DEPTH, channels=1),
        ),
        **changes,
    }
    return ModelConfig(**values)  # type: ignore[arg-type]


@torch.no_grad()
def roughen(network: M3ViT, seed: int) -> M3ViT:
    """Give ``network`` uneven gammas, biases, batch statistics and a few loud channels."""
    torch.manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand_like(tensor) * 0.5 + 0.5)
        elif "norm" in name and name.endswith("weight"):
            tensor.copy_(torch.exp(0.4 * torch.randn_like(tensor)))
        elif name.endswith("bias") or name.endswith("running_mean"):
            tensor.copy_(0.3 * torch.randn_like(tensor))
        elif name.endswith("fc2.weight"):
            tensor[:2] *= 6
        elif "conv_" in name:
            tensor *= 2
    return network.eval()


def rough_network(config: ModelConfig, seed: int = 0) -> M3ViT:
    torch.manual_seed(seed)
    return roughen(M3ViT(config), seed)


def smooth_images(config: ModelConfig, count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    rows, columns = config.grid
    coarse = rng.uniform(0, 255, (count, rows, columns, 3))
    images = np.kron(coarse, np.ones((1, config.patch, config.patch, 1)))
    noisy = images + rng.normal(0, 20, images.shape)
    return list(np.clip(noisy, 0, 255).astype(np.uint8))
