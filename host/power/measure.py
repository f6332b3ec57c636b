"""The experiment: a board at rest, at work, and at rest again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from m3vit.host.devices.device import Device
from m3vit.host.power.energy import Energy, energy_of
from m3vit.host.power.hwmon import Rail
from m3vit.host.power.sampler import Sampler, Samples
from m3vit.hw.formats import Int8
from m3vit.hw.package import Package


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """One task."""

    task: str
    energy: Energy
    cycles: int | None
    """Of the last image, None where the device has no clock."""
    samples: dict[str, Samples]
    """"before", "run" and "after"."""


def measure(
    package: Package,
    device: Device,
    tiles: Int8,
    task: str,
    rails: Sequence[Rail],
    seconds: float,
    say: Callable[[str], object],
) -> Measurement:
    """Run one image again and again for ``seconds``, and rest half as long before and after.

    Raises:
        DeviceError: the device or the rails failed.
    """
    number = package.config.task_index(task)
    device.load(package)
    device.run(package, tiles, number)  # whatever is done once is done now
    say(f"{task}: {seconds:g} s at work, as long at rest")
    before = _rest(rails, seconds / 2)
    sampler, images, run = Sampler(rails), 0, None
    with sampler:
        started = time.perf_counter()
        while (spent := time.perf_counter() - started) < seconds or run is None:
            run = device.run(package, tiles, number)
            images += 1
    samples = {"before": before, "run": sampler.samples, "after": _rest(rails, seconds / 2)}
    energy = energy_of(samples["before"], samples["run"], samples["after"], images, spent)
    return Measurement(task=task, energy=energy, cycles=run.cycles, samples=samples)


def _rest(rails: Sequence[Rail], seconds: float) -> Samples:
    with Sampler(rails) as sampler:
        time.sleep(seconds)
    return sampler.samples
