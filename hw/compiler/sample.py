"""The recorded sample of a package: an image and the integers that every layer makes of it.

Arrays of ``golden.npz``: ``image`` uint8 [H, W, 3]; ``layers.<block>.<name>`` for the first task,
each exactly what the trace region of that name and block holds (``plan`` as bytes [T, 4K]);
for every task ``<task>.result`` int16 [T, d], ``<task>.logits`` int16 [channels, h, w] and, for
every block of experts, ``<task>.<block>.experts`` uint8 [T, K] and ``<task>.<block>.weights``
uint16 [T, K], best expert first.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.evaluate import evaluate, evaluate_head
from m3vit.hw.executor.dma import plan_records
from m3vit.hw.formats import UInt8
from m3vit.hw.quantised import QuantisedModel

Arrays = dict[str, NDArray[Any]]

Progress = Callable[[str], None]
"""Called with what is being done."""

LAYERS = ("embed", "ln1", "attention", "mid", "ln2", "plan", "out")
"""Names of the trace regions."""


def procedural_image(height: int, width: int) -> UInt8:
    """Discs on a slope, uint8 [height, width, 3]: integer arithmetic, the same everywhere."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    image = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1)
    for number in range(7):
        centre_x, centre_y = width * (2 * number + 1) // 14, height * (number * 3 % 7 + 1) // 8
        radius = height * (number % 3 + 1) // 12
        inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2
        image[inside] = [(37 * number * step + 40 * step) % 256 for step in (1, 2, 3)]
    result: UInt8 = image.astype(np.uint8)
    return result


def record(model: QuantisedModel, image: UInt8, progress: Progress | None = None) -> Arrays:
    """Evaluate ``image`` layer by layer for every task; see the module's table.

    Raises:
        ConfigurationError: the image is not of the model's size.
    """
    arrays: Arrays = {"image": image}
    for number, task in enumerate(model.config.task_names):
        if progress:
            progress(f"recording the sample, task {task}")
        arrays.update(_record_task(model, image, number, task))
    return arrays


def _record_task(model: QuantisedModel, image: UInt8, number: int, task: str) -> Arrays:
    layers: Arrays = {}

    def keep(name: str, block: int, values: NDArray[Any]) -> None:
        if name in LAYERS:
            layers[f"layers.{max(block, 0)}.{name}"] = values.copy()

    run = evaluate(model, image, number, keep if number == 0 else None)
    arrays = {**layers, f"{task}.result": run.result}
    arrays[f"{task}.logits"] = evaluate_head(model, run.result, number)
    for block, plan in run.plans.items():
        arrays[f"{task}.{block}.experts"], arrays[f"{task}.{block}.weights"] = plan.per_token()
        if number == 0:
            arrays[f"layers.{block}.plan"] = plan_records(plan)
    return arrays
