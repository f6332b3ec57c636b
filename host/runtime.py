"""From an image to predictions: resize, pack, run on a device, head on the CPU, interpolate."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from m3vit.host.devices.device import Device, DeviceRun, QueueingDevice
from m3vit.host.images import resize_image
from m3vit.host.predictions import dequantise, predict
from m3vit.hw.config import ModelConfig, TaskConfig
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import Int8, Int16, UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.golden.head import head
from m3vit.hw.package import Package

PHASES = ("resize", "pack", "in", "run", "out", "head", "interpolate")
"""Phases of one image and task, in order; the first two are shared by the tasks of an image."""

QUEUED = 2
"""Images under way on a device that queues: one runs, one is ready to follow."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """An image ready to run."""

    size: tuple[int, int]
    """Rows and columns of the photograph."""
    tiles: Int8
    """[T - 1, patch elements]."""
    phases: Mapping[str, float]
    """Seconds of "resize" and "pack"."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """One task of one image."""

    task: TaskConfig
    values: NDArray[Any]
    """At the photograph's size; see ``m3vit.host.predictions``."""
    logits: Int16
    """[channels, h, w], integers."""
    run: DeviceRun
    phases: Mapping[str, float]
    """Seconds by phase, see ``PHASES``."""


class Stopwatch:
    """Seconds by phase."""

    def __init__(self, phases: Mapping[str, float] | None = None) -> None:
        self.phases = dict(phases or {})

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Account what passes inside to ``name``."""
        started = time.perf_counter()
        yield
        self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - started


class Runtime:
    """A package on a device.

    Raises:
        DigestMismatchError: the package was compiled for another machine than the device.
    """

    def __init__(self, package: Package, device: Device) -> None:
        self._package = package
        self._device = device
        device.load(package)

    @property
    def config(self) -> ModelConfig:
        """The network."""
        return self._package.config

    def prepare(self, image: UInt8) -> Prepared:
        """Resize and pack ``image``, uint8 [height, width, 3] of any size."""
        watch, config = Stopwatch(), self.config
        with watch.phase("resize"):
            resized = resize_image(image, config.image_height, config.image_width)
        with watch.phase("pack"):
            tiles = patches(resized, config.patch)
        size = (image.shape[0], image.shape[1])
        return Prepared(size=size, tiles=tiles, phases=watch.phases)

    def run(self, prepared: Prepared, task: str) -> Prediction:
        """Predict one task.

        Raises:
            ConfigurationError: the model has no such task.
            DeviceError: the device failed.
        """
        number = self.config.task_index(task)
        run = self._device.run(self._package, prepared.tiles, number)
        return self._finish(prepared, number, run)

    def stream(
        self, work: Iterable[tuple[Prepared, str]], *, routing: bool = False
    ) -> Iterator[Prediction]:
        """Predict images and tasks in order; the device works while the host computes heads.

        Args:
            work: is asked for the next pair as soon as the device has room for it.
            routing: whether plans are wanted where they cost a trace of every layer.

        Raises:
            ConfigurationError: the model has no such task.
            DeviceError: the device failed.
        """
        device = self._device
        if not isinstance(device, QueueingDevice):
            yield from (self.run(prepared, task) for prepared, task in work)
            return
        waiting: deque[tuple[Prepared, int, Any]] = deque()
        try:
            for prepared, task in work:
                number = self.config.task_index(task)
                done = self._collect(device, waiting) if len(waiting) == QUEUED else None
                ticket = device.submit(self._package, prepared.tiles, number, trace=routing)
                waiting.append((prepared, number, ticket))
                if done is not None:
                    yield self._finish(*done)
            while waiting:
                yield self._finish(*self._collect(device, waiting))
        finally:
            for _, _, ticket in waiting:  # nobody wants them any more
                with suppress(DeviceError):
                    device.collect(ticket)

    @staticmethod
    def _collect(
        device: QueueingDevice, waiting: deque[tuple[Prepared, int, Any]]
    ) -> tuple[Prepared, int, DeviceRun]:
        prepared, number, ticket = waiting.popleft()
        return prepared, number, device.collect(ticket)

    def _finish(self, prepared: Prepared, number: int, run: DeviceRun) -> Prediction:
        """Head and interpolation."""
        watch, layer = Stopwatch({**prepared.phases, **run.phases}), self._package.heads[number]
        with watch.phase("head"):
            logits = head(run.result, layer, self.config.grid)
        with watch.phase("interpolate"):
            maps = dequantise(logits, layer.logit_scale, self.config)
            values = predict(self.config.tasks[number].kind, maps, *prepared.size)
        return Prediction(
            task=self.config.tasks[number],
            values=values,
            logits=logits,
            run=run,
            phases=watch.phases,
        )
