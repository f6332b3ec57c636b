"""Metrics of one image from files: predictions as the host writes them, ground truth as arrays."""

import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m3vit.hw.config import TaskConfig
from m3vit.hw.errors import ConfigurationError, DatasetError
from m3vit.model.metrics.metric import Field
from m3vit.model.metrics.registry import make_metric

TASKS_KEY = "tasks"
"""Entry of a predictions file: JSON of the tasks' names, kinds and channels."""


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

    Raises:
        DatasetError: a file is missing or damaged, nothing can be scored, or shapes differ.
    """
    predicted, actual = _arrays(predictions), _arrays(truth)
    tasks = [task for task in _tasks(predictions, predicted) if task.kind.value in actual]
    if not tasks:
        raise DatasetError(f"{truth} holds no ground truth for the tasks in {predictions}")
    return {
        task.name: _score(task, predicted[task.name], actual[task.kind.value]) for task in tasks
    }


def _score(task: TaskConfig, prediction: Field, target: Field) -> Score:
    metric = make_metric(task.kind.value, task.channels)
    metric.update(prediction, target)
    return Score(
        metric=metric.name,
        unit=metric.unit,
        lower_is_better=metric.lower_is_better,
        value=metric.value(),
    )
