"""``m3vit verify``: a device against the integer reference, layer by layer."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from m3vit.host.devices.device import Device
from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.images import resize_image
from m3vit.host.layers import Difference, difference, layers_of
from m3vit.hw.formats import UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.package import Package

Report = Callable[[str], object]
"""Called with a line as soon as a layer has been compared."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was compared of one task."""

    task: str
    layers: int
    integers: int
    first: Difference | None
    """The first difference; the layers behind it are not looked at."""
    cycles: int | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {**asdict(self), "equal": self.first is None}


def verify(
    package: Package, device: Device, image: UInt8, tasks: Sequence[str], report: Report
) -> list[Verification]:
    """Run ``image`` (uint8 [height, width, 3], any size) with a trace and compare every layer.

    Raises:
        ConfigurationError: an unknown task.
        DeviceError: the device failed or records no trace.
    """
    config = package.config
    tiles = patches(resize_image(image, config.image_height, config.image_width), config.patch)
    device.load(package)
    found = []
    with ReferenceDevice(package.machine) as reference:
        reference.load(package)
        for task in tasks:
            number = config.task_index(task)
            expected = layers_of(package, reference.run(package, tiles, number, trace=True))
            run = device.run(package, tiles, number, trace=True)
            layers = integers = 0
            first = None
            for wanted, got in zip(expected, layers_of(package, run), strict=True):
                first = difference(wanted, got)
                if first is not None:
                    report(f"{task}: {first}")
                    break
                layers, integers = layers + 1, integers + wanted.values.size
                report(
                    f"{task}: block {wanted.block}, {wanted.name}: {wanted.values.size} integers "
                    "equal"
                )
            found.append(
                Verification(
                    task=task, layers=layers, integers=integers, first=first, cycles=run.cycles
                )
            )
    return found
