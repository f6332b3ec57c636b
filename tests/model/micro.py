"""Configurations that build and run in milliseconds."""

from dataclasses import replace
from typing import Any

import torch

from m3vit.hw.config import GateKind, ModelConfig, TaskConfig, TaskKind
from m3vit.model.network import M3ViT

TASKS = (
    TaskConfig(name="segmentation", kind=TaskKind.SEGMENTATION, channels=8),
    TaskConfig(name="depth", kind=TaskKind.DEPTH, channels=1),
    TaskConfig(name="normals", kind=TaskKind.NORMALS, channels=3),
    TaskConfig(name="edges", kind=TaskKind.EDGES, channels=1),
    TaskConfig(name="saliency", kind=TaskKind.SALIENCY, channels=1),
)


def micro_config(**changes: Any) -> ModelConfig:
    """Two rows and three columns of patches, four blocks, five tasks."""
    base = ModelConfig(
        name="micro",
        image_height=32,
        image_width=48,
        width=32,
        heads=2,
        tasks=TASKS,
        blocks=4,
        experts=5,
        top_k=2,
        gate=GateKind.MULTI,
        gate_task_width=16,
        head_width=16,
    )
    return replace(base, **changes)


def rough(config: ModelConfig, seed: int = 0) -> M3ViT:
    """A float64 network in which no bias, norm or statistic has its neutral value."""
    torch.manual_seed(seed)
    network = M3ViT(config).double()
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.ndim <= 2 and not name.endswith("w_gate"):
                value.add_(0.2 * torch.randn_like(value))
        for name, value in network.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.3, 2.0)
            elif name.endswith("running_mean"):
                value.normal_(std=0.3)
    return network.eval()


def images(config: ModelConfig, batch: int = 2, seed: int = 1) -> torch.Tensor:
    """Normalised float64 images."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 3, config.image_height, config.image_width)
    return torch.randn(shape, generator=generator, dtype=torch.float64)
