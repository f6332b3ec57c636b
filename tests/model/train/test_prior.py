import numpy as np
import pytest
import torch

from m3vit.hw.config import TaskKind
from m3vit.model.network import M3ViT
from m3vit.model.train.losses import task_loss
from m3vit.model.train.prior import constant, start_from_constants
from tests.model.micro import TASKS, micro_config
from tests.model.train.sources import random_source


# The other tasks start near their optimum, not at it.
@pytest.mark.parametrize("task", [TASKS[0], TASKS[4]], ids=lambda task: task.name)
def test_no_shift_of_the_constant_has_a_lower_loss(task) -> None:
    source = random_source(micro_config())
    if task.kind is TaskKind.SEGMENTATION:
        source.arrays["segmentation"] %= 3
    _, target = source.batch(np.arange(12), task.kind, np.random.default_rng(0))
    best = constant(task, target)
    shape = (12, task.channels, *target.shape[-2:])

    def loss(values: torch.Tensor) -> float:
        return float(task_loss(task.kind, values.view(1, -1, 1, 1).expand(shape), target))

    for channel in range(task.channels):
        for step in (-0.3, 0.3):
            moved = best.clone()
            moved[channel] += step
            assert loss(best) <= loss(moved) + 1e-4


def test_heads_start_there() -> None:
    config = micro_config()
    network = M3ViT(config)
    start_from_constants(network, config, random_source(config), 0)
    assert float(network.decoders["depth"].conv_4.bias.detach()) == pytest.approx(1.75, abs=0.1)
    assert network.decoders["segmentation"].conv_4.bias.shape == (8,)
