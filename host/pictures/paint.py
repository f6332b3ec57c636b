"""Predictions and ground truth as colours, one kind of task after the other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.host.pictures.colours import colour_map, palette
from m3vit.hw.config import TaskConfig, TaskKind
from m3vit.hw.errors import DatasetError
from m3vit.hw.formats import UInt8

IGNORE = 255
"""Label of ground truth that does not count; painted black."""

MAP_OF: Mapping[TaskKind, str] = {
    TaskKind.DEPTH: "viridis",
    TaskKind.EDGES: "ink",
    TaskKind.SALIENCY: "heat",
}

Limits = tuple[float, float]


def depth_limits(values: NDArray[Any]) -> Limits:
    """Nearest and farthest distance to show, without outliers, in metres; 0 or less is invalid."""
    valid = values[np.isfinite(values) & (values > 0)]
    if not valid.size:
        return 0.1, 1.0
    low, high = np.percentile(valid, (1, 99))
    return float(low), float(max(high, 1.001 * low))


def paint(task: TaskConfig, values: NDArray[Any], limits: Limits | None = None) -> UInt8:
    """Colours [H, W, 3] of ``values`` as in ``m3vit.host.predictions``; near is bright,
    distances are on a logarithmic scale.

    ``limits`` is the range of depths; None = that of the values.  Ground truth's label 255, depth 0
    and zero normals count as unknown.
    """
    if task.kind in (TaskKind.SEGMENTATION, TaskKind.PARTS):
        table = np.zeros((IGNORE + 1, 3), np.uint8)
        table[: task.channels] = palette(task.channels)
        classes: UInt8 = table[values]
        return classes
    if task.kind is TaskKind.NORMALS:
        colours = np.round((values + 1) * 127.5).clip(0, 255).astype(np.uint8)
        return _blacken(colours, (values == 0).all(axis=-1))
    if task.kind is TaskKind.DEPTH:
        low, high = limits or depth_limits(values)
        share = np.log(high / np.clip(values, low, high)) / np.log(high / low)
        colours = colour_map(MAP_OF[task.kind], share)
        return _blacken(colours, values == 0)
    shown = values.astype(np.float32)
    return _blacken(colour_map(MAP_OF[task.kind], shown), shown == IGNORE)


def _blacken(colours: UInt8, unknown: NDArray[np.bool_]) -> UInt8:
    colours[unknown] = 0
    return colours


def check_truth(task: TaskConfig, truth: NDArray[Any], height: int, width: int) -> None:
    """Refuse ground truth that does not lie over the image.

    Raises:
        DatasetError: naming the task, the shape and the one expected.
    """
    expected = (height, width, 3) if task.kind is TaskKind.NORMALS else (height, width)
    if truth.shape != expected or truth.dtype.kind not in "uf":
        raise DatasetError(
            f"ground truth of {task.name} is {truth.dtype} {list(truth.shape)}, expected "
            f"{list(expected)} numbers, as large as its image"
        )
