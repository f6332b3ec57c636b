"""The registry and the constant baselines."""

import math

import numpy as np
import pytest

from m3vit.hw.config import TaskKind
from m3vit.hw.errors import ConfigurationError, DatasetError
from m3vit.model.data.scenes import SCENE_CLASSES, SceneDataset
from m3vit.model.metrics.baselines import constant_baseline
from m3vit.model.metrics.metric import Metric
from m3vit.model.metrics.registry import make_metric

SCENES = SceneDataset(range(12), 64, 96)
KINDS = ("segmentation", "depth", "normals", "edges", "saliency")


def _targets(kind: str) -> list[np.ndarray]:
    return [np.asarray(SCENES[i].targets[kind]) for i in range(len(SCENES))]


@pytest.mark.parametrize("kind", [k.value for k in TaskKind])
def test_every_kind_has_a_metric_that_knows_itself(kind: str) -> None:
    metric: Metric = make_metric(kind, 7)
    assert metric.name and metric.unit in {"%", "m", "deg"}
    assert metric.lower_is_better == (kind in {"depth", "normals"})
    assert math.isnan(metric.value())
    assert type(make_metric(TaskKind(kind), 7)) is type(metric)


def test_unknown_kind_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'flow'"):
        make_metric("flow", 1)
    with pytest.raises(ConfigurationError, match="'flow'"):
        constant_baseline("flow", 1, [])


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_beats_the_constant(kind: str) -> None:
    metric = make_metric(kind, len(SCENE_CLASSES))
    targets = _targets(kind)
    for target in targets:
        metric.update(target, target)
    base = constant_baseline(kind, len(SCENE_CLASSES), targets)
    assert base < metric.value() or metric.lower_is_better
    assert base > metric.value() or not metric.lower_is_better


@pytest.mark.parametrize(
    ("kind", "others"),
    [
        ("segmentation", [np.uint8(c) for c in range(8)]),
        ("depth", [np.float32(d) for d in np.linspace(0.2, 4, 30)]),
        ("saliency", [0.0, 0.3, 0.5, 0.95]),
    ],
)
def test_no_other_constant_is_better(kind: str, others: list[float]) -> None:
    targets = _targets(kind)
    best = constant_baseline(kind, 8, targets)
    for constant in others:
        metric = make_metric(kind, 8)
        for target in targets:
            metric.update(np.full(target.shape, constant), target)
        worse = metric.value() - best if metric.lower_is_better else best - metric.value()
        assert worse >= -1e-9


def test_mean_normal_beats_the_axes() -> None:
    targets = _targets("normals")
    best = constant_baseline("normals", 3, targets)
    for axis in np.vstack([np.eye(3), -np.eye(3)]):
        metric = make_metric("normals", 3)
        for target in targets:
            metric.update(np.broadcast_to(axis, target.shape), target)
        assert metric.value() > best - 1.0  # the mean suits the mean cosine, not the angle


def test_constant_is_fitted_to_one_set_and_scored_on_another() -> None:
    ones, threes = np.full((4, 4), 1, np.float32), np.full((4, 4), 3, np.float32)
    assert constant_baseline("depth", 1, [ones], [threes]) == pytest.approx(2)
    assert constant_baseline("depth", 1, [ones, threes]) == pytest.approx(1)


def test_edges_everywhere_have_the_precision_of_chance() -> None:
    target = np.zeros((40, 50), np.uint8)
    target[20] = 1
    assert constant_baseline("edges", 1, [target]) == pytest.approx(100 * 100 / 2050)


@pytest.mark.parametrize("kind", ["segmentation", "depth", "normals", "saliency"])
def test_no_valid_pixel_is_an_error(kind: str) -> None:
    empty = {
        "segmentation": [np.full((2, 2), 255, np.uint8)],
        "depth": [np.zeros((2, 2), np.float32)],
        "normals": [np.zeros((2, 2, 3), np.float32)],
        "saliency": [],
    }
    with pytest.raises(DatasetError, match="no valid pixel"):
        constant_baseline(kind, 8, empty[kind])
