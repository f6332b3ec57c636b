"""Damaged packages whose digests are right: one line of error, or the right answer.

Nothing else may happen: no other exception, no hang, no memory beyond a bound, no command outside
its buffers.  Every case is named by its seed.
"""

import random
import shutil
import signal
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.runtime import Runtime
from m3vit.hw.commands.extent import reads_of, writes_of
from m3vit.hw.errors import M3vitError, PackageError
from m3vit.hw.formats import Int16
from m3vit.hw.package import COMMANDS, GOLDEN, MANIFEST, WEIGHTS, Package, read_package
from tests.support.mutations import MUTATIONS, read_manifest, seal, write_sealed
from tests.support.packages import MICRO, MICRO_DENSE, compiled

SECONDS = 20
"""More than an example takes on a machine that does other work as well."""
MEGABYTES = 16
"""Most that an example may allocate; the package has a fifth of one."""
CASES = {"manifest": 80, "blob": 40, "commands": 100}
IMAGE = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return compiled(tmp_path_factory.mktemp("good") / "package")[1]


@contextmanager
def limited_time() -> Iterator[None]:
    """Raise TimeoutError inside the body when it hangs."""

    def hang(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"still running after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def results(path: Path) -> tuple[Package, list[Int16]]:
    """Everything that a user does with a package: read it, look at its sample, run every task."""
    package = read_package(path)
    package.golden()
    for command in package.commands:
        for extent in (*reads_of(command, package.machine), *writes_of(command)):
            assert 0 <= extent.start and extent.end <= package.windows[extent.base]
    with ReferenceDevice(package.machine) as device:
        runtime = Runtime(package, device)
        prepared = runtime.prepare(IMAGE)
        found = [runtime.run(prepared, task).run.result for task in package.config.task_names]
        traced = device.run(package, prepared.tiles, 0, trace=True)
    assert np.array_equal(traced.result, found[0])  # nothing of an earlier run is left
    return package, found


def _is_computed_alike(package: Package, good: Package) -> bool:
    sizes = ("image_height", "image_width", "patch", "tokens", "width")
    equal = all(getattr(package.config, n) == getattr(good.config, n) for n in sizes)
    same_tasks = len(package.config.tasks) == len(good.config.tasks)
    program = package.commands == good.commands and package.weights == good.weights
    return equal and same_tasks and program


def exercise(good: Package, kind: str, seed: int, folder: Path) -> bool:
    """One example; whether the package was accepted."""
    shutil.copytree(good.path, folder)
    MUTATIONS[kind](folder, random.Random(seed))
    try:
        with limited_time():
            package, found = results(folder)
    except M3vitError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        return False
    finally:
        shutil.rmtree(folder)
    if _is_computed_alike(package, good):
        for mine, theirs in zip(found, results(good.path)[1], strict=True):
            assert np.array_equal(mine, theirs)
    return True


@pytest.mark.parametrize("kind", MUTATIONS)
def test_an_error_or_the_right_answer(kind: str, good: Package, tmp_path: Path) -> None:
    accepted = 0
    for seed in range(CASES[kind]):
        try:
            accepted += exercise(good, kind, seed, tmp_path / "p")
        except BaseException as error:
            raise AssertionError(f"{kind}, seed {seed}: {error!r}") from error
    # Both ways are seen: mutations neither all miss nor all break the package.
    assert 0.05 * CASES[kind] < accepted < 0.6 * CASES[kind]


@pytest.mark.slow
@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.parametrize("config", [MICRO, MICRO_DENSE], ids=lambda config: config.name)
def test_many_with_their_memory_measured(kind: str, config: object, tmp_path: Path) -> None:
    assert config in (MICRO, MICRO_DENSE)
    good = compiled(tmp_path / "good", MICRO if config is MICRO else MICRO_DENSE, seed=1)[1]
    tracemalloc.start()
    try:
        for seed in range(10_000, 10_700):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                exercise(good, kind, seed, tmp_path / "p")
            except BaseException as error:
                raise AssertionError(f"{kind}, seed {seed}: {error!r}") from error
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < MEGABYTES << 20, f"{kind}, seed {seed}: {peak >> 20} MB"
    finally:
        tracemalloc.stop()


@pytest.fixture
def folder(good: Package, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good.path, tmp_path / "p"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "1e999 is no number"),
        ('{"a": {"b": 1, "b": 2}}', "'b' stands twice"),
        ("1" * 5000, "cannot read"),
        ('{"format": "m3vit-package-1"', "cannot read"),
    ],
    ids=["deep", "nan", "infinity", "overflow", "twice", "digits", "open"],
)
def test_json_that_means_nothing_or_two_things(folder: Path, text: str, reason: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(PackageError, match=reason):
        read_package(folder)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/b", "a\nb", "", ".x", "a" * 65, 3])
@pytest.mark.parametrize("where", ["model", "machine", "task", "region"])
def test_names_that_could_leave_their_folder(folder: Path, where: str, name: object) -> None:
    """They become parts of file names: NAME.TASK.png."""
    manifest = read_manifest(folder)
    owner = {
        "model": manifest["model"],
        "machine": manifest["machine"],
        "task": manifest["model"]["tasks"][1],
        "region": manifest["regions"][0],
    }[where]
    owner["name"] = name
    seal(manifest, folder)
    with pytest.raises(M3vitError, match="name of a"):
        read_package(folder)


def test_files_named_elsewhere_are_not_followed(folder: Path) -> None:
    manifest = read_manifest(folder)
    manifest["files"]["../../secret"] = manifest["files"][WEIGHTS]
    write_sealed(manifest, folder)
    assert read_package(folder).weights  # only the four files are ever opened


def test_a_giant_file_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as stream:
        stream.truncate(1 << 40)
    tracemalloc.start()
    with pytest.raises(PackageError, match="has 1099511627776 bytes"):
        read_package(folder)
    assert tracemalloc.get_traced_memory()[1] < MEGABYTES << 20
    tracemalloc.stop()


def test_an_archive_that_unpacks_to_more_than_a_sample(folder: Path) -> None:
    with zipfile.ZipFile(folder / GOLDEN, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.npy", bytes(200 << 20))
    assert (folder / GOLDEN).stat().st_size < 1 << 20
    _refuse_sample(folder, "unpacks to|cannot read")


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 62, 4), (1 << 20, 1 << 20, 1 << 30), (-1,)])
def test_an_array_that_claims_to_be_huge(folder: Path, shape: tuple[int, ...]) -> None:
    with (
        zipfile.ZipFile(folder / GOLDEN, "w") as archive,
        archive.open("image.npy", "w") as stream,
    ):
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
    _refuse_sample(folder, "unpacks to|array of")


@pytest.mark.parametrize("header", ["{'descr': (\n", "{'descr'", "\x00", "3", "{" * 300])
def test_an_array_header_that_is_none(folder: Path, header: str) -> None:
    text = header.encode().ljust(118) + b"\n"
    prefix = np.lib.format.magic(1, 0) + len(text).to_bytes(2, "little")
    with zipfile.ZipFile(folder / GOLDEN, "w") as archive:
        archive.writestr("image.npy", prefix + text)
    _refuse_sample(folder, "cannot read golden.npz")


def _refuse_sample(folder: Path, reason: str) -> None:
    seal(read_manifest(folder), folder)
    package = read_package(folder)
    tracemalloc.start()
    with pytest.raises(PackageError, match=reason):
        package.golden()
    assert tracemalloc.get_traced_memory()[1] < MEGABYTES << 20
    tracemalloc.stop()


def test_swapped_files(folder: Path) -> None:
    weights, commands = (folder / WEIGHTS).read_bytes(), (folder / COMMANDS).read_bytes()
    (folder / WEIGHTS).write_bytes(commands)
    (folder / COMMANDS).write_bytes(weights)
    seal(read_manifest(folder), folder)
    with pytest.raises(M3vitError):
        read_package(folder)
