"""``m3vit run``: images through a package on a device, pictures and records out."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.host.devices.device import Device
from m3vit.host.images import read_image
from m3vit.host.outputs import write_together
from m3vit.host.pictures.sheet import Shown, png, sheet, task_picture
from m3vit.host.report import record_of
from m3vit.host.runtime import PHASES, Prediction, Prepared, Runtime, Stopwatch
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import UInt8
from m3vit.hw.package import Package
from m3vit.hw.records import ResultRecord
from m3vit.hw.routing_trace import TracedPlan

ALL_TASKS = "all"

Progress = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run and what to write."""

    images: Sequence[Path]
    tasks: Sequence[str]
    """Names; one entry ``all`` stands for every task."""
    out: Path | None = None
    """Folder for pictures; None writes none."""
    arrays: bool = False
    """Whether to write the predictions as arrays as well."""
    routing: bool = False
    """Whether the routing is wanted where a device has to trace every layer for it."""
    truth: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Ground truth by kind of task, shown beside the prediction of the only image."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One image, done."""

    names: list[str]
    """``IMAGE.TASK`` of each run, as the files are called."""
    records: list[ResultRecord]
    trace: list[TracedPlan]
    written: list[Path]


def chosen_tasks(package: Package, names: Sequence[str]) -> tuple[str, ...]:
    """The tasks named, each checked and named once.

    Raises:
        ConfigurationError: the model has no such task.
    """
    if ALL_TASKS in names and ALL_TASKS not in package.config.task_names:
        return package.config.task_names
    return tuple(dict.fromkeys(package.config.task(name).name for name in names))


def run_images(
    package: Package, device: Device, request: Request, progress: Progress
) -> Iterator[Finished]:
    """Run every image, one after the other; each is written before the next starts.

    ``progress`` is called with what comes next.

    Raises:
        ConfigurationError: an unknown task, or ground truth for more than one image.
        DatasetError: an image cannot be read; all are looked at before the first one runs.
        WriteError: the file system refused; nothing of that image was written.
    """
    tasks = chosen_tasks(package, request.tasks)
    if request.truth and len(request.images) != 1:
        raise ConfigurationError(
            f"ground truth goes with 1 image, got {len(request.images)}; run them one by one"
        )
    for path in request.images[1:]:
        read_image(path)
    runner = _Runner(
        package=package,
        device=device,
        runtime=Runtime(package, device),
        request=request,
        tasks=tasks,
        progress=progress,
    )
    for path, name in zip(request.images, _names(request.images), strict=True):
        yield runner.run(path, name)


def _names(paths: Sequence[Path]) -> list[str]:
    """A distinct name for the outputs of each image: its stem, numbered where that is taken."""
    seen: dict[str, int] = {}
    names = []
    for path in paths:
        seen[path.stem] = seen.get(path.stem, 0) + 1
        names.append(path.stem if seen[path.stem] == 1 else f"{path.stem}-{seen[path.stem]}")
    return names


@dataclass(frozen=True, kw_only=True)
class _Runner:
    """What all images of a request share."""

    package: Package
    device: Device
    runtime: Runtime
    request: Request
    tasks: Sequence[str]
    progress: Progress

    def run(self, path: Path, name: str) -> Finished:
        """One image: every task, pictures, records."""
        watch = Stopwatch()
        with watch.phase("read"):
            image = read_image(path)
        predictions = self._predict(path, image)
        written: list[Path] = []
        if self.request.out is not None:
            with watch.phase("draw"):
                files = _files(image, name, predictions, self.request)
            written = write_together(self.request.out, files)
        return Finished(
            names=[f"{name}.{one.task.name}" for one in predictions],
            records=[self._record(path, one, watch.phases) for one in predictions],
            trace=_trace(path, predictions),
            written=written,
        )

    def _predict(self, path: Path, image: UInt8) -> list[Prediction]:
        prepared = self.runtime.prepare(image)

        def work() -> Iterator[tuple[Prepared, str]]:
            for task in self.tasks:
                self.progress(f"{path.name}: {task}")
                yield prepared, task

        return list(self.runtime.stream(work(), routing=self.request.routing))

    def _record(self, path: Path, one: Prediction, shared: Mapping[str, float]) -> ResultRecord:
        phases = _in_order({**one.phases, **shared})
        return record_of(self.package, self.device.name, str(path), one, phases)


def _in_order(phases: Mapping[str, float]) -> dict[str, float]:
    return {name: phases[name] for name in ("read", *PHASES, "draw") if name in phases}


def _files(
    image: UInt8, name: str, predictions: Sequence[Prediction], request: Request
) -> dict[str, bytes]:
    shown = [
        Shown(task=one.task, values=one.values, truth=request.truth.get(one.task.kind.value))
        for one in predictions
    ]
    files = {f"{name}.{one.task.name}.png": png(task_picture(one)) for one in shown}
    files[f"{name}.overview.png"] = png(sheet(image, shown, name))
    if request.arrays:
        files[f"{name}.predictions.npz"] = predictions_archive(predictions)
    return files


def predictions_archive(predictions: Sequence[Prediction]) -> bytes:
    """An .npz: arrays by task; ``tasks`` is the JSON of their names, kinds and channels."""
    stream = io.BytesIO()
    tasks = json.dumps([asdict(one.task) for one in predictions])
    arrays = {one.task.name: one.values for one in predictions}
    np.savez_compressed(stream, tasks=np.array(tasks), **arrays)
    return stream.getvalue()


def _trace(path: Path, predictions: Sequence[Prediction]) -> list[TracedPlan]:
    return [
        TracedPlan(task=one.task.name, image=str(path), block=block, plan=plan)
        for one in predictions
        for block, plan in sorted(one.run.plans.items())
    ]
