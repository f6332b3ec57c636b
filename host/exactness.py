"""Whether a device's integers are those of the layer-by-layer definition."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.host.devices.device import Device, DeviceRun
from m3vit.host.images import resize_image
from m3vit.hw.errors import DeviceError
from m3vit.hw.evaluate import evaluate
from m3vit.hw.formats import Int16, UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.package import Package
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.routing import RoutingPlan


def compare_tasks(package: Package, model: QuantisedModel, device: Device, image: UInt8) -> int:
    """Run every task on ``device`` and evaluate it layer by layer; count the integers compared.

    Args:
        package: resident on the device, compiled from ``model``.
        model: the quantised model.
        device: what executes the package's commands.
        image: uint8 [height, width, 3] of any size.

    Raises:
        DeviceError: an integer differs; the message says which is the first.
    """
    config, count = package.config, 0
    resized = resize_image(image, config.image_height, config.image_width)
    tiles = patches(resized, config.patch)
    for number, task in enumerate(config.task_names):
        expected = evaluate(model, resized, number)
        run = device.run(package, tiles, number)
        count += compare_run(task, run, expected.result, expected.plans)
    return count


def compare_run(task: str, run: DeviceRun, result: Int16, plans: Mapping[int, RoutingPlan]) -> int:
    """Compare what ``run`` left with the ``result`` [T, d] and, for every block that the device
    reports, the ``plans`` of golden; count the integers compared.

    Raises:
        DeviceError: an integer differs; the message says which is the first.
    """
    count = same_integers(f"result of task {task}", run.result, result)
    for block in run.plans:
        got, wanted = run.plans[block].per_token(), plans[block].per_token()
        where = f"of task {task}, block {block}"
        count += same_integers(f"experts {where}", got[0], wanted[0])
        count += same_integers(f"weights {where}", got[1], wanted[1])
    return count


def same_integers(what: str, got: NDArray[Any], expected: NDArray[Any]) -> int:
    """How many integers were compared, ``what`` names them.

    Raises:
        DeviceError: shapes or integers differ.
    """
    if got.shape != expected.shape:
        raise DeviceError(f"{what}: shape {list(got.shape)}, expected {list(expected.shape)}")
    different = np.argwhere(got != expected)
    if len(different):
        first = tuple(map(int, different[0]))
        raise DeviceError(
            f"{what}: {len(different)} of {got.size} integers differ, the first at {list(first)}: "
            f"{got[first]}, expected {expected[first]}; the device or the compiler is wrong"
        )
    return got.size
