"""What a prediction that never looks at the image would score: the floor for every network."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import DatasetError
from m3vit.model.data.sample import IGNORE
from m3vit.model.data.skeleton import thin
from m3vit.model.metrics.metric import Field
from m3vit.model.metrics.registry import make_metric


def constant_baseline(
    kind: str,
    channels: int,
    training: Iterable[Field],
    evaluation: Iterable[Field] | None = None,
) -> float:
    """Metric of the constant prediction that suits the ``training`` targets best.

    Majority class for segmentation and parts, mean for depth, mean direction for normals, the
    better of "all" and "none" for saliency.  For edges every pixel is predicted, without
    thinning (a constant map has no ridges and would score 0).

    Args:
        kind: kind of task.
        channels: number of classes, where there are any.
        training: targets that the constant is fitted to.
        evaluation: targets that it is scored on; the training targets if not given.

    Raises:
        ConfigurationError: no such kind.
        DatasetError: the training targets hold no valid pixel.
    """
    make_metric(kind, channels)  # refuses unknown kinds
    fitted = list(training)
    scored = fitted if evaluation is None else list(evaluation)
    if kind == "edges":
        return _all_edges(scored)
    return _score(kind, channels, _FITS[kind](fitted, channels), scored)


def _score(kind: str, channels: int, constant: Field, targets: Sequence[Field]) -> float:
    metric = make_metric(kind, channels)
    for target in targets:
        metric.update(np.broadcast_to(constant, target.shape), target)
    return metric.value()


def _majority(targets: Sequence[Field], channels: int) -> Field:
    counts = np.zeros(256, np.int64)
    for target in targets:
        counts += np.bincount(target.reshape(-1).astype(np.uint8), minlength=256)
    counts[IGNORE] = 0
    _require(counts.any())
    return np.asarray(counts.argmax(), np.uint8)


def _mean_depth(targets: Sequence[Field], channels: int) -> Field:
    pixels = sum(int(np.count_nonzero(target)) for target in targets)
    _require(pixels)
    total = sum(float(target.astype(np.float64).sum()) for target in targets)
    return np.asarray(total / pixels)


def _mean_normal(targets: Sequence[Field], channels: int) -> Field:
    total: NDArray[np.float64] = np.zeros(3)
    for target in targets:
        total += target.reshape(-1, 3).astype(np.float64).sum(0)
    _require(total.any())
    return np.asarray(total / np.linalg.norm(total))


def _all_or_none(targets: Sequence[Field], channels: int) -> Field:
    _require(len(targets))
    everything, nothing = np.asarray(1.0), np.asarray(0.0)
    scores = [_score("saliency", channels, c, targets) for c in (everything, nothing)]
    return everything if scores[0] >= scores[1] else nothing


def _all_edges(targets: Sequence[Field]) -> float:
    """2 matched / (predicted + true): each true pixel is matched by the prediction upon it."""
    actual = sum(int(thin(target == 1).sum()) for target in targets)
    predicted = sum(int((target != IGNORE).sum()) for target in targets)
    return 100 * 2 * actual / (predicted + actual) if predicted else float("nan")


def _require(found: object) -> None:
    if not found:
        raise DatasetError(
            "constant baseline: the training targets hold no valid pixel, expected at least one"
        )


_FITS: dict[str, Callable[[Sequence[Field], int], Field]] = {
    "segmentation": _majority,
    "parts": _majority,
    "depth": _mean_depth,
    "normals": _mean_normal,
    "saliency": _all_or_none,
}
