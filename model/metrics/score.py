"""Metrics of images from files: predictions as the host writes them, ground truth as arrays."""

import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m3vit.hw.config import TaskConfig
from m3vit.hw.errors import ConfigurationError, DatasetError
from m3vit.model.metrics.metric import Field, Metric
from m3vit.model.metrics.registry import make_metric

TASKS_KEY = "tasks"
"""Entry of a predictions file: JSON of the tasks' names, kinds and channels."""

ENDING = ".predictions.npz"
"""Of the names of predictions; what comes before is the image's."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A metric of one task; NaN where no pixel counts."""

    metric: str
    unit: str
    lower_is_better: bool
    value: float

    def to_dict(self) -> dict[str, object]:
        """Plain values, fit for JSON, which has no NaN."""
        value = self.value if math.isfinite(self.value) else None
        return {
            "metric": self.metric,
            "unit": self.unit,
            "lower_is_better": self.lower_is_better,
            "value": value,
        }


def _arrays(path: Path) -> dict[str, Field]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DatasetError(f"{path} is no .npz archive; write it again")
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise DatasetError(f"{path} does not exist; check the path") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"cannot read {path}: {error}; write it again") from error


def _tasks(path: Path, arrays: dict[str, Field]) -> list[TaskConfig]:
    try:
        tasks = [TaskConfig(**entry) for entry in json.loads(str(arrays[TASKS_KEY]))]
        for task in tasks:
            arrays[task.name]
    except (KeyError, TypeError, ValueError, ConfigurationError) as error:
        raise DatasetError(
            f"{path} holds no predictions ({error}); write them with `m3vit run --arrays`"
        ) from error
    return tasks


def score_files(predictions: Path, truth: Path) -> dict[str, Score]:
    """Score each predicted task whose kind has ground truth.

    Args:
        predictions: a file of `m3vit run --arrays`, or a folder of NAME.predictions.npz.
        truth: its ground truth, or a folder with one NAME.npz for every one of them.

    Raises:
        DatasetError: a file is missing or damaged, nothing can be scored, or shapes differ.
    """
    metrics: dict[str, Metric] = {}
    for predicted, actual in _pairs(predictions, truth):
        _update(metrics, predicted, actual)
    return {name: _score(metric) for name, metric in metrics.items()}


def _pairs(predictions: Path, truth: Path) -> list[tuple[Path, Path]]:
    if not predictions.is_dir() and not truth.is_dir():
        return [(predictions, truth)]
    found = sorted(predictions.glob(f"*{ENDING}"))
    if not found:
        raise DatasetError(
            f"{predictions} holds no NAME{ENDING} to go with the folder {truth}; write them with "
            "`m3vit run --arrays` or `m3vit validate --out`"
        )
    return [(path, truth / f"{path.name.removesuffix(ENDING)}.npz") for path in found]


def _update(metrics: dict[str, Metric], predictions: Path, truth: Path) -> None:
    predicted, actual = _arrays(predictions), _arrays(truth)
    tasks = [task for task in _tasks(predictions, predicted) if task.kind.value in actual]
    if not tasks:
        raise DatasetError(f"{truth} holds no ground truth for the tasks in {predictions}")
    for task in tasks:
        if task.name not in metrics:
            metrics[task.name] = make_metric(task.kind.value, task.channels)
        metrics[task.name].update(predicted[task.name], actual[task.kind.value])


def _score(metric: Metric) -> Score:
    return Score(
        metric=metric.name,
        unit=metric.unit,
        lower_is_better=metric.lower_is_better,
        value=metric.value(),
    )
