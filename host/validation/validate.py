"""A folder of images through a device: integers against golden, predictions against the truth."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from m3vit.host.devices.device import Device
from m3vit.host.run_images import ALL_TASKS, chosen_tasks
from m3vit.host.runtime import Runtime
from m3vit.host.validation.checks import Check, Checker, Seen
from m3vit.host.validation.folder import items_of
from m3vit.host.validation.golden import Definition, Golden, Reference
from m3vit.host.validation.scoring import Scoring
from m3vit.host.validation.summary import Summary
from m3vit.hw.errors import DatasetError
from m3vit.hw.package import Package
from m3vit.hw.quantised_files import load_quantised

Report = Callable[[str], object]
"""Called with a line as soon as an image is done."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to validate."""

    folder: Path
    tasks: Sequence[str] = (ALL_TASKS,)
    truth: Path | None = None
    """Folder of ground truth; None = beside the images."""
    quantised: Path | None = None
    """What the package was compiled from; None = the integer reference is golden."""
    out: Path | None = None
    """Where predictions are kept; None keeps none."""


def validate(package: Package, device: Device, request: Request, report: Report) -> Summary:
    """Run every image for every task; what is NOK or unreadable does not stop the others.

    Raises:
        DatasetError: the folder holds no image, or none that can be read.
        ConfigurationError: an unknown task.
        PackageError: the package was not compiled from the quantised model given.
    """
    started = time.perf_counter()
    items = items_of(request.folder, request.truth)
    golden = _golden(package, request.quantised)
    checker = Checker(
        package=package,
        runtime=Runtime(package, device),
        golden=golden,
        tasks=chosen_tasks(package, request.tasks),
    )
    checks: list[Check] = []
    unreadable: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="m3vit-validate-") as folder:
        scoring = Scoring(config=package.config, folder=Path(folder), keep=request.out)
        for number, seen in enumerate(checker.run(items)):
            checks += seen.checks
            if seen.unreadable:
                unreadable[seen.name] = seen.unreadable
            scoring.add(seen)
            report(line_of(seen, number, len(items)))
        scores, unscored = scoring.scores()
    if len(unreadable) == len(items):
        raise DatasetError(
            f"none of the {len(items)} images in {request.folder} can be read; the first: "
            f"{next(iter(unreadable.values()))}"
        )
    return Summary(
        device=device.name,
        golden=golden.name,
        package=str(package.path),
        package_digest=package.digest,
        images=len(items),
        checks=checks,
        unreadable=unreadable,
        unreadable_truth=scoring.unreadable,
        scores=scores,
        unscored=unscored,
        seconds=time.perf_counter() - started,
    )


def _golden(package: Package, quantised: Path | None) -> Golden:
    if quantised is None:
        return Reference(package)
    return Definition(load_quantised(quantised), package)


def line_of(seen: Seen, number: int, images: int) -> str:
    """One image in a line: OK or NOK by task, and what differs."""
    head = f"{number:{len(str(images))}}/{images} {seen.name}"
    if seen.unreadable:
        return f"{head}: UNREADABLE: {seen.unreadable}"
    wrong = [f"{check.task} NOK ({check.problem})" for check in seen.checks if not check.ok]
    right = ", ".join(check.task for check in seen.checks if check.ok)
    return f"{head}: {'; '.join([*wrong, *([f'{right} OK'] if right else [])])}"
