"""Run the float network over calibration images and every task, and keep the ranges."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from m3vit.hw.errors import QuantisationError
from m3vit.model.images import to_tensor
from m3vit.model.network import M3ViT
from m3vit.model.quantise.ranges import Ranges
from m3vit.model.quantise.score_rows import ScoreWatch

BATCH = 8

Progress = Callable[[str], None]


def _batches(images: Sequence[NDArray[np.uint8]]) -> Iterator[torch.Tensor]:
    for start in range(0, len(images), BATCH):
        yield torch.stack([to_tensor(image) for image in images[start : start + BATCH]])


@torch.no_grad()
def calibrate(
    network: M3ViT, images: Sequence[NDArray[np.uint8]], progress: Progress | None = None
) -> Ranges:
    """Ranges of every named tensor over ``images`` (uint8 [H, W, 3]) and all tasks.

    Raises:
        QuantisationError: there is no image, or a value is not finite.
    """
    if not images:
        raise QuantisationError("calibration got 0 images, expected at least 1 (32 are good)")
    network = network.eval()
    ranges = Ranges(scores=ScoreWatch(network.config.heads))
    for number, task in enumerate(network.config.task_names):
        if progress is not None:
            progress(f"calibrating {task} on {len(images)} images")
        for batch in _batches(images):
            network(batch, task, ranges.for_task(number))
    return ranges
