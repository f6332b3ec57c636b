"""Damaged packages: any changed byte in any file is an error that names the package."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m3vit.hw.errors import PackageError
from m3vit.hw.package import COMMANDS, GOLDEN, MANIFEST, WEIGHTS, read_package
from tests.support.packages import compiled

FILES = (MANIFEST, WEIGHTS, COMMANDS, GOLDEN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good package, restored after each example."""
    path = tmp_path_factory.mktemp("fuzz") / "package"
    compiled(path)
    return path


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_refused(folder: Path, name: str, where: float, change: int) -> None:
    file = folder / name
    good, digest = file.read_bytes(), read_package(folder).digest
    data = bytearray(good)
    data[int(where * len(data))] ^= change
    file.write_bytes(data)
    try:
        # White space in the manifest may change: what it says stays the same.
        assert read_package(folder).digest == digest and name == MANIFEST
    except PackageError as error:
        assert str(folder) in str(error)
    finally:
        file.write_bytes(good)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(folder: Path, name: str, share: float) -> None:
    file = folder / name
    good = file.read_bytes()
    length = int(share * len(good))
    file.write_bytes(good[:length])
    try:
        # Without its last newline the manifest is still whole.
        if name != MANIFEST or length < len(good.rstrip()):
            with pytest.raises(PackageError, match=str(folder)):
                read_package(folder)
    finally:
        file.write_bytes(good)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "p")
    (tmp_path / "p" / name).unlink()
    with pytest.raises(PackageError, match=name):
        read_package(tmp_path / "p")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "3", '{"format": "m3vit-package-1"}', "\x00", "{"]
)
def test_a_strange_manifest_is_refused(folder: Path, tmp_path: Path, text: str) -> None:
    shutil.copytree(folder, tmp_path / "p")
    (tmp_path / "p" / MANIFEST).write_text(text)
    with pytest.raises(PackageError, match=str(tmp_path)):
        read_package(tmp_path / "p")
