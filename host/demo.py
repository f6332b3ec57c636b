"""``m3vit demo``: checkpoint, integers, package, predictions, each step another verb.

The verbs are called by name through the command line and hand each other files, so that this part
of the host needs nothing but the contract.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3vit.host.cache import folder_of, key_of, sources_of
from m3vit.host.call import call_verb
from m3vit.host.devices.table import open_device
from m3vit.host.exactness import compare_tasks
from m3vit.host.images import read_image
from m3vit.host.progress import say, step
from m3vit.host.report import table
from m3vit.host.truth import read_truth
from m3vit.host.validation.summary import score_row
from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import M3vitError, PackageError
from m3vit.hw.files import directory_atomic, write_json
from m3vit.hw.formats import UInt8
from m3vit.hw.machine_file import find_machine
from m3vit.hw.package import read_package
from m3vit.hw.package_files import MANIFEST
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.quantised_files import load_quantised
from m3vit.hw.record_table import text_table
from m3vit.hw.records import ResultRecord

PACKAGE = "package"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where everything comes from and goes to."""

    out: Path
    cache: Path
    checkpoint: Path
    photo: Path
    seed: int
    """Of the rendered scene."""
    calibration_images: int
    machine: str
    rtl_machine: str
    """Machine that is also run in RTL; empty = none."""
    debug: bool


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What the demo found out."""

    records: list[ResultRecord]
    scores: dict[str, dict[str, Any]]
    """Metric of each task on the rendered scene."""
    compared: int
    """Integers that were compared with the layer-by-layer evaluation, and were equal."""
    pictures: list[Path]
    package: Path
    rtl: dict[str, Any] | None
    """What `m3vit verify` found in RTL; None if it was not run."""

    def to_dict(self, seconds: float) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "records": [record.to_dict() for record in self.records],
            "scores": self.scores,
            "compared_integers": self.compared,
            "pictures": list(map(str, self.pictures)),
            "package": str(self.package),
            "rtl": self.rtl,
            "seconds": seconds,
        }


def summary(demo: Demo, seconds: float) -> str:
    """What a newcomer wants to know: cost, quality, exactness, where the pictures are."""
    mine = demo.package.parent / "mine"
    rows = [("rendered scene", "metric", ""), *map(score_row, demo.scores.items())]
    return "\n".join(
        [
            "",
            table(demo.records),
            "",
            text_table(rows, (False, False, True)),
            "",
            f"{demo.compared} integers of the executed commands compared with the evaluation layer "
            "by layer: all equal",
            *([_rtl_line(demo.rtl)] if demo.rtl else []),
            *(f"wrote {picture}" for picture in demo.pictures),
            f"wrote {demo.package}; run your own photographs on it with",
            f"  .venv/bin/m3vit run PHOTO --package {demo.package} --out {mine}",
            f"{seconds:.1f} s in all",
        ]
    )


def _rtl_line(found: dict[str, Any]) -> str:
    tasks = found["tasks"]
    layers, integers = (sum(task[what] for task in tasks) for what in ("layers", "integers"))
    return (
        f"{integers} integers of {layers} layers and {len(tasks)} tasks on machine "
        f"{found['machine']} in RTL simulation compared with the reference: all equal"
    )


def shipped(name: str) -> Path:
    """A file that comes with the project's model folder."""
    return folder_of("m3vit.model") / name


def run_demo(options: Options) -> Demo:
    """All steps; what is still valid in the cache is not made again.

    Raises:
        VerbFailedError: a step failed and has said why.
        M3vitError: an input is missing or damaged.
    """
    photo = read_image(options.photo)
    quantised = _quantise(options)
    model = load_quantised(quantised)
    package = _compile(options, quantised, options.machine)
    scene, truth = _scene(options, model.config)
    records = _predict(options, package, options.photo)
    records += _predict(options, package, scene, "--truth", truth, "--arrays")
    predictions = options.out / f"{scene.stem}.predictions.npz"
    _publish(package, options.out / PACKAGE)
    scores = json.loads(_verb(options, "score", predictions, truth, "--json"))
    with step("comparing with the evaluation layer by layer"):
        compared = _compare(package, model, [photo, read_image(scene)])
    rtl = _verify_rtl(options, quantised) if options.rtl_machine else None
    return Demo(
        records=records,
        scores=scores,
        compared=compared,
        pictures=[options.out / f"{path.stem}.overview.png" for path in (options.photo, scene)],
        package=options.out / PACKAGE,
        rtl=rtl,
    )


def _verb(options: Options, verb: str, *arguments: object) -> str:
    """What the verb prints."""
    return call_verb(verb, *arguments, debug=options.debug)


def _kept(
    path: Path, what: str, make: Callable[[], object], check: Callable[[Path], object]
) -> Path:
    """``path`` from an earlier run if it is still sound, else made now."""
    with contextlib.suppress(M3vitError):
        check(path)
        say(f"{what}: kept from an earlier run, {path}")
        return path
    with step(what):
        make()
    return path


def _quantise(options: Options) -> Path:
    files = [options.checkpoint, *sources_of("m3vit.hw"), *sources_of("m3vit.model")]
    images = options.calibration_images
    path = options.cache / f"quantised-{key_of(files, [str(images)])}.npz"

    def make() -> None:
        source = ("--checkpoint", options.checkpoint, "--images", images, "--eval-scenes", 0)
        _verb(options, "quantize", *source, "--out", path, "--json")

    return _kept(path, "checkpoint to integers", make, load_quantised)


def _compile(options: Options, quantised: Path, machine: str) -> Path:
    digest = find_machine(machine).digest
    path = options.cache / f"package-{key_of([quantised, *sources_of('m3vit.hw')], [digest])}"

    def make() -> None:
        _verb(options, "compile", quantised, "--machine", machine, "--out", path)

    return _kept(path, f"integers to commands, machine {machine}", make, read_package)


def _verify_rtl(options: Options, quantised: Path) -> dict[str, Any]:
    """Every layer of every task of the photograph on a small machine, in RTL."""
    machine = options.rtl_machine
    package = _compile(options, quantised, machine)
    parts = [source for part in ("rtl", "sim", "host") for source in sources_of(f"m3vit.{part}")]
    key = key_of([package / MANIFEST, options.photo, *parts])
    path = options.cache / f"rtl-{key}.json"

    def make() -> None:
        image = ("--image", options.photo, "--task", "all")
        found = json.loads(_verb(options, "verify", package, "--device", "rtl", *image, "--json"))
        write_json(path, {**found, "machine": find_machine(machine).name})

    def check(kept: Path) -> None:
        _read_rtl(kept)

    _kept(path, f"every layer on machine {machine} in RTL simulation", make, check)
    return _read_rtl(path)


def _read_rtl(path: Path) -> dict[str, Any]:
    """What an earlier run found.

    Raises:
        PackageError: there is none, or it is damaged.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        _rtl_line(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackageError(f"{path} is no result of an RTL run: {error!r}") from error
    return found


def _scene(options: Options, config: ModelConfig) -> tuple[Path, Path]:
    """The picture and the ground truth."""
    size = (config.image_height, config.image_width)
    key = key_of(sources_of("m3vit.model"), [str(options.seed), *map(str, size)])
    folder = options.cache / f"scene-{key}"
    picture, truth = (folder / f"scene-{options.seed}.{end}" for end in ("png", "npz"))

    def make() -> None:
        side = ("--height", size[0], "--width", size[1])
        _verb(options, "scene", "--seed", options.seed, *side, "--out", folder)

    def check(_: Path) -> None:
        read_image(picture)
        read_truth(truth, config, size)

    _kept(folder, "a rendered scene", make, check)
    return picture, truth


def _predict(options: Options, package: Path, image: Path, *more: object) -> list[ResultRecord]:
    with step(f"every task on {image.name}"):
        arguments = (image, "--package", package, "--out", options.out, *more, "--json")
        lines = _verb(options, "run", *arguments).splitlines()
    return [ResultRecord.from_json(line) for line in lines]


def _publish(package: Path, path: Path) -> None:
    """A copy under a name that one can type."""
    with directory_atomic(path) as work:
        shutil.copytree(package, work, dirs_exist_ok=True)


def _compare(package: Path, model: QuantisedModel, images: Sequence[UInt8]) -> int:
    compiled = read_package(package)
    with open_device("reference", compiled.machine) as device:
        device.load(compiled)
        return sum(compare_tasks(compiled, model, device, image) for image in images)
