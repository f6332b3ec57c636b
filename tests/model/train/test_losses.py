"""Losses against float64 loops over pixels."""

import math

import numpy as np
import pytest
import torch

from m3vit.hw.config import TaskKind
from m3vit.model.train.losses import ORIGINAL_WEIGHTS, SCENE_WEIGHTS, balanced_binary, task_loss

SHAPE = (2, 3, 4)


def random(channels: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((SHAPE[0], channels, *SHAPE[1:]), generator=generator)


def labels(classes: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, SHAPE, generator=generator, dtype=torch.uint8)
    target[0, 0, :2] = 255
    return target


def pixels():
    return np.ndindex(*SHAPE)


def test_segmentation_is_the_mean_negative_log_share_of_valid_pixels() -> None:
    prediction, target = random(5), labels(5)
    terms = []
    for b, y, x in pixels():
        row = prediction[b, :, y, x].double()
        if target[b, y, x] != 255:
            terms.append(float(row.exp().sum().log() - row[int(target[b, y, x])]))
    loss = task_loss(TaskKind.SEGMENTATION, prediction, target)
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-5)


def test_edges_weigh_boundaries_with_95_per_cent() -> None:
    prediction, target = random(1), labels(2)
    terms = []
    for b, y, x in pixels():
        share = 1 / (1 + math.exp(-float(prediction[b, 0, y, x])))
        if target[b, y, x] == 1:
            terms.append(-0.95 * math.log(share))
        elif target[b, y, x] == 0:
            terms.append(-0.05 * math.log(1 - share))
    loss = task_loss(TaskKind.EDGES, prediction, target)
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-5)


def test_saliency_gives_both_classes_the_same_say() -> None:
    target = torch.zeros(1, 10, 10, dtype=torch.uint8)
    target[0, 0] = 1
    always, never = torch.full((1, 1, 10, 10), 8.0), torch.full((1, 1, 10, 10), -8.0)
    assert float(balanced_binary(always, target)) == pytest.approx(
        float(balanced_binary(never, target)), rel=1e-5
    )


def test_depth_is_absolute_up_to_a_fifth_of_the_largest_error_and_square_beyond() -> None:
    target = torch.tensor([[[2.0, 0.0, 1.0, 3.0, 1.0]]])
    prediction = torch.tensor([[[[2.1, 99.0, 3.0, 3.2, 1.0]]]])
    c = 0.2 * 2.0
    expected = (0.1 + (4 + c * c) / (2 * c) + 0.2 + 0) / 4
    assert float(task_loss(TaskKind.DEPTH, prediction, target)) == pytest.approx(expected)
    assert float(task_loss(TaskKind.DEPTH, target[:, None], target)) == 0


def test_normals_ignore_length_and_invalid_pixels() -> None:
    target = torch.zeros(1, 3, 1, 2)
    target[0, :, 0, 0] = torch.tensor([0.0, 0.0, 1.0])
    prediction = torch.zeros(1, 3, 1, 2)
    prediction[0, :, 0, 0] = torch.tensor([0.0, 0.0, 7.0])
    prediction[0, :, 0, 1] = 5.0
    assert float(task_loss(TaskKind.NORMALS, prediction, target)) == pytest.approx(0)
    prediction[0, :, 0, 0] = torch.tensor([3.0, 0.0, 0.0])
    assert float(task_loss(TaskKind.NORMALS, prediction, target)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", list(TaskKind))
def test_nothing_valid_gives_zero_with_finite_gradients(kind: TaskKind) -> None:
    channels = {TaskKind.SEGMENTATION: 5, TaskKind.PARTS: 5, TaskKind.NORMALS: 3}.get(kind, 1)
    prediction = random(channels).requires_grad_()
    target = torch.full(SHAPE, 255, dtype=torch.uint8)
    if kind is TaskKind.DEPTH:
        target = torch.zeros(SHAPE)
    if kind is TaskKind.NORMALS:
        target = torch.zeros(SHAPE[0], 3, *SHAPE[1:])
    loss = task_loss(kind, prediction, target)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.isfinite(prediction.grad).all()


def test_every_kind_has_a_weight() -> None:
    kinds = {kind.value for kind in TaskKind}
    assert set(ORIGINAL_WEIGHTS) == set(SCENE_WEIGHTS) == kinds
