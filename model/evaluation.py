"""Metrics of a float network on rendered scenes, beside those of the best constant."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import ConfigurationError
from m3vit.model.data.sample import Sample
from m3vit.model.data.scenes import SCENE_CLASSES, SceneDataset
from m3vit.model.images import to_tensor
from m3vit.model.metrics.baselines import constant_baseline
from m3vit.model.metrics.metric import Metric
from m3vit.model.metrics.registry import make_metric
from m3vit.model.network import M3ViT
from m3vit.model.quantise.predictions import field_of

UNSEEN_SEED = 1_000_000
"""First seed of the scenes that no training or calibration draws."""

FITTED_SCENES = 100
"""Training scenes (seeds 0 ..) that the constants are fitted to."""


@dataclass(frozen=True, kw_only=True)
class TaskScore:
    """One task's metric, of the network and of the best constant prediction."""

    task: str
    metric: str
    unit: str
    lower_is_better: bool
    network: float
    constant: float

    @property
    def better(self) -> bool:
        """Whether the network beats the constant."""
        return (self.network < self.constant) == self.lower_is_better

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return asdict(self) | {"better": self.better}


def _scenes(config: ModelConfig, seeds: range) -> SceneDataset:
    return SceneDataset(seeds, config.image_height, config.image_width)


@torch.no_grad()
def _measure(
    network: M3ViT, tasks: Sequence[TaskConfig], samples: Iterator[Sample]
) -> dict[str, Metric]:
    metrics = {task.name: make_metric(task.kind, task.channels) for task in tasks}
    for sample in samples:
        pixels = to_tensor(sample.image).unsqueeze(0)
        for task in tasks:
            field = field_of(task.kind, network(pixels, task.name))
            metrics[task.name].update(field, sample.targets[task.kind.value])
    return metrics


def _shown(samples: SceneDataset, quiet: bool) -> Iterator[Sample]:
    for index in range(1, len(samples) + 1):
        yield samples[index - 1]
        if not quiet and (index % 20 == 0 or index == len(samples)):
            print(f"\rscene {index}/{len(samples)}", end="", file=sys.stderr, flush=True)
    if not quiet:
        print(file=sys.stderr)


def require_scene_tasks(config: ModelConfig) -> None:
    """Check that scenes have ground truth for every task of ``config``.

    Raises:
        ConfigurationError: they have not.
    """
    targets = SceneDataset(range(1), 16, 16)[0].targets
    foreign = [task.name for task in config.tasks if task.kind.value not in targets]
    narrow = [t.name for t in config.tasks if t.kind is TaskKind.SEGMENTATION]
    narrow = [name for name in narrow if config.task(name).channels < len(SCENE_CLASSES)]
    if foreign or narrow:
        raise ConfigurationError(
            f"{config.name} cannot be used with scenes because of {', '.join(foreign + narrow)}: "
            f"they have {len(SCENE_CLASSES)} classes and {', '.join(sorted(targets))}"
        )


def evaluate(network: M3ViT, seeds: range, quiet: bool = True) -> list[TaskScore]:
    """Score every task on the scenes of ``seeds``.

    Args:
        network: in evaluation mode.
        seeds: scenes that training did not see, such as ``range(UNSEEN_SEED, ...)``.
        quiet: no progress on stderr.

    Raises:
        ConfigurationError: scenes have no ground truth for one of the tasks.
    """
    config = network.config
    require_scene_tasks(config)
    unseen = _scenes(config, seeds)
    metrics = _measure(network, config.tasks, _shown(unseen, quiet))
    return [_score(config, task, metrics[task.name], unseen) for task in config.tasks]


def _score(
    config: ModelConfig, task: TaskConfig, metric: Metric, unseen: SceneDataset
) -> TaskScore:
    kind = task.kind.value
    training = _scenes(config, range(FITTED_SCENES))
    fitted = (training[index].targets[kind] for index in range(len(training)))
    scored = (unseen[index].targets[kind] for index in range(len(unseen)))
    return TaskScore(
        task=task.name,
        metric=metric.name,
        unit=metric.unit,
        lower_is_better=metric.lower_is_better,
        network=metric.value(),
        constant=constant_baseline(kind, task.channels, fitted, scored),
    )


def table(scores: Sequence[TaskScore]) -> str:
    """The scores as aligned text, one task a line."""
    lines = [f"{'task':14}{'metric':14}{'network':>10}{'constant':>10}  unit  better"]
    for s in scores:
        arrow = "lower" if s.lower_is_better else "higher"
        lines.append(
            f"{s.task:14}{s.metric:14}{s.network:10.3f}{s.constant:10.3f}  {s.unit:4}  {arrow}"
        )
    return "\n".join(lines)
