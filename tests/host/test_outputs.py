"""Sets of files are written whole or not at all."""

import os
from pathlib import Path

import pytest

from m3vit.host.outputs import write_together
from m3vit.hw.files import WriteError


def test_all_are_written(tmp_path: Path) -> None:
    paths = write_together(tmp_path / "new" / "out", {"a": b"1", "b": b"22"})
    assert [path.read_bytes() for path in paths] == [b"1", b"22"]
    assert sorted(os.listdir(tmp_path / "new" / "out")) == ["a", "b"]


def test_full_disk_at_the_second_file_leaves_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "b":
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="No space left on device; nothing was left behind"):
        write_together(tmp_path, {"a": b"new", "b": b"new"})
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"old"


def test_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(WriteError, match="cannot write to .*out"):
        write_together(tmp_path / "out", {"a": b""})
