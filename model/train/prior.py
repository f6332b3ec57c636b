"""Heads that start from the best constant instead of from nothing."""

import numpy as np
import torch
from torch import Tensor

from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.model.network import M3ViT
from m3vit.model.network.head import Head
from m3vit.model.train.batches import Source, draw

IGNORE = 255


def constant(task: TaskConfig, target: Tensor) -> Tensor:
    """Constant prediction [channels] near the best under the task's loss."""
    match task.kind:
        case TaskKind.SEGMENTATION | TaskKind.PARTS:
            counts = torch.bincount(target[target != IGNORE].long(), minlength=task.channels)
            return (counts[: task.channels].float() + 1).log().log_softmax(0)
        case TaskKind.DEPTH:
            return target[target > 0].median().view(1)
        case TaskKind.NORMALS:
            return target.mean((0, 2, 3))
        case TaskKind.EDGES | TaskKind.SALIENCY:
            # Both losses weight the classes towards balance, where the log-odds are near zero.
            return torch.zeros(1)


@torch.no_grad()
def start_from_constants(network: M3ViT, config: ModelConfig, source: Source, seed: int) -> None:
    """Set the last bias of every head from a few dozen training images."""
    rng = np.random.default_rng((seed, 0, 0))
    indices = draw(source, rng, min(64, len(source)))
    for task in config.tasks:
        head = network.decoders[task.name]
        assert isinstance(head, Head)
        _, target = source.batch(indices, task.kind, rng)
        head.conv_4.bias.copy_(constant(task, target))  # type: ignore[union-attr]
