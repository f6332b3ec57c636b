"""A package comes back whole or is refused by name; nothing half written stays."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m3vit.hw import files
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import DigestMismatchError, M3vitError, PackageError
from m3vit.hw.machine import MACHINES
from m3vit.hw.package import COMMANDS, GOLDEN, MANIFEST, WEIGHTS, read_package, write_package
from tests.support.random_models import random_model

CONFIG = ModelConfig(
    name="micro",
    image_height=16,
    image_width=32,
    width=32,
    heads=2,
    blocks=2,
    experts=2,
    top_k=1,
    head_width=16,
    tasks=(TaskConfig(name="depth", kind=TaskKind.DEPTH, channels=1),),
)
MODEL = random_model(CONFIG, 0)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packages") / "micro"
    write_package(path, emit_program(MODEL, MACHINES["mini"]), {"image": np.zeros(3, np.uint8)})
    return path


@pytest.fixture
def copy(package: Path, tmp_path: Path) -> Path:
    for file in package.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_round_trip(package: Path) -> None:
    read, program = read_package(package), emit_program(MODEL, MACHINES["mini"])
    assert read.config == CONFIG and read.machine == MACHINES["mini"]
    assert list(read.commands) == program.commands
    assert read.weights == program.memory.data
    assert list(read.trace) == program.trace.regions and read.trace_bytes == program.trace.size
    for mine, theirs in zip(MODEL.heads, read.heads, strict=True):
        assert np.array_equal(mine.norm.gamma, theirs.norm.gamma)
        assert np.array_equal(mine.logit_scale, theirs.logit_scale)
        for one, two in zip(mine.convolutions, theirs.convolutions, strict=True):
            assert np.array_equal(one.weight, two.weight)
            assert np.array_equal(one.bias, two.bias)
            assert np.array_equal(one.factor, two.factor)
            assert (one.shift, one.upsampled) == (two.shift, two.upsampled)
    assert np.array_equal(read.golden()["image"], np.zeros(3, np.uint8))


def test_the_digest_is_reproducible(package: Path, tmp_path: Path) -> None:
    program = emit_program(MODEL, MACHINES["mini"])
    again = write_package(tmp_path / "again", program, {"image": np.zeros(3, np.uint8)})
    assert again == read_package(package).digest


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="manifest.json is missing"):
        read_package(tmp_path / "absent")


@pytest.mark.parametrize("name", [WEIGHTS, COMMANDS, GOLDEN])
def test_a_truncated_file_is_named(copy: Path, name: str) -> None:
    (copy / name).write_bytes((copy / name).read_bytes()[:-1])
    with pytest.raises(PackageError, match=f"{name} has .* it is truncated"):
        read_package(copy)


@pytest.mark.parametrize("name", [WEIGHTS, COMMANDS, GOLDEN])
def test_an_edited_file_is_named(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(DigestMismatchError, match=f"{name} does not match its digest"):
        read_package(copy)


@pytest.mark.parametrize("name", [WEIGHTS, COMMANDS, GOLDEN])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(PackageError, match=name):
        read_package(copy)


def test_an_edited_manifest_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["model"]["width"] = 64
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DigestMismatchError, match="manifest, which was edited"):
        read_package(copy)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_mutation_of_the_manifest_is_an_error_or_harmless(
    package: Path, tmp_path: Path, data: st.DataObject
) -> None:
    for file in package.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = bytearray((package / MANIFEST).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.integers(0, 255))
    (tmp_path / MANIFEST).write_bytes(text)
    try:
        read = read_package(tmp_path)
    except M3vitError as error:
        assert "\n" not in str(error)
    else:
        assert read.digest == read_package(package).digest


def test_a_full_disk_leaves_the_old_package(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_package(copy).digest
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(files.WriteError, match="No space left on device"):
        write_package(copy, emit_program(MODEL, MACHINES["zcu104"]), {})
    assert read_package(copy).digest == before
    assert [path for path in copy.parent.iterdir() if path.name.startswith(f".{copy.name}")] == []


def test_another_machine_is_refused_by_name(package: Path) -> None:
    with pytest.raises(DigestMismatchError, match="compiled for machine mini .* device is zcu104"):
        read_package(package).require_machine(MACHINES["zcu104"])
