"""One image after the other through a device, each task compared with golden."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from m3vit.host.exactness import compare_run, same_integers
from m3vit.host.images import read_image, resize_image
from m3vit.host.runtime import Prediction, Runtime
from m3vit.host.validation.folder import Item
from m3vit.host.validation.golden import Expected, Golden, Sample
from m3vit.hw.errors import DatasetError, DeviceError, M3vitError
from m3vit.hw.formats import UInt8
from m3vit.hw.package import Package


@dataclass(frozen=True, kw_only=True)
class Check:
    """One image and task."""

    image: str
    task: str
    problem: str = ""
    """Why it is NOK: what differs or what failed; empty = OK."""
    compared: int = 0
    """Integers found equal."""
    cycles: int | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase; empty if the device failed."""

    @property
    def ok(self) -> bool:
        """Whether every integer is golden's."""
        return not self.problem


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """One image, done or unreadable."""

    name: str
    checks: Sequence[Check] = ()
    predictions: Sequence[Prediction] = ()
    item: Item | None = None
    image: UInt8 | None = None
    unreadable: str = ""
    """Why the image could not be read; empty if it could."""


@dataclass(frozen=True, kw_only=True)
class Checker:
    """Compares what a device makes of images with golden."""

    package: Package
    runtime: Runtime
    golden: Golden
    tasks: Sequence[str]

    def run(self, items: Sequence[Item]) -> Iterator[Seen]:
        """The recorded sample, then every image."""
        sample = Sample(self.package)
        yield self._seen(sample.name, sample.image, sample)
        for item in items:
            yield self._one(item)

    def _one(self, item: Item) -> Seen:
        try:
            image = read_image(item.image)
        except DatasetError as error:
            return Seen(name=item.image.name, unreadable=str(error))
        return self._seen(item.image.name, image, self.golden, item)

    def _seen(self, name: str, image: UInt8, golden: Golden, item: Item | None = None) -> Seen:
        config = self.package.config
        resized = resize_image(image, config.image_height, config.image_width)
        prepared = self.runtime.prepare(image)
        checks, predictions = [], []
        for task in self.tasks:
            expected = golden.expected(resized, config.task_index(task))
            try:
                prediction = self.runtime.run(prepared, task)
            except M3vitError as error:
                checks.append(Check(image=name, task=task, problem=str(error)))
                continue
            predictions.append(prediction)
            checks.append(_check(name, prediction, expected))
        return Seen(name=name, checks=checks, predictions=predictions, item=item, image=image)


def _check(name: str, prediction: Prediction, expected: Expected) -> Check:
    compared, problem = 0, ""
    try:
        task = prediction.task.name
        compared = compare_run(task, prediction.run, expected.result, expected.plans)
        if expected.logits is not None:
            compared += same_integers(f"logits of {task}", prediction.logits, expected.logits)
    except DeviceError as error:
        problem = str(error)
    return Check(
        image=name,
        task=prediction.task.name,
        problem=problem,
        compared=compared,
        cycles=prediction.run.cycles,
        phases=prediction.phases,
    )
