"""Files and directories appear whole or not at all."""

import errno
from pathlib import Path

import pytest

from m3vit.hw import files
from m3vit.hw.files import WriteError, directory_atomic, write_json, write_text


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_text_and_json_are_written(tmp_path: Path) -> None:
    assert write_text(tmp_path / "a" / "b.txt", "one\n").read_text() == "one\n"
    assert write_json(tmp_path / "c.json", {"b": 1, "a": 2}).read_text().index('"a"') < 10


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_text(tmp_path / "x", "old")
    monkeypatch.setattr(files.os, "fsync", _full)
    with pytest.raises(WriteError, match=r"cannot write .*x: No space left on device; nothing"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_directory_vanishes(tmp_path: Path) -> None:
    target = tmp_path / "d"
    with pytest.raises(KeyboardInterrupt), directory_atomic(target) as work:
        (work / "part").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_replaced_at_once(tmp_path: Path) -> None:
    target = tmp_path / "d"
    for text in ("one", "two"):
        with directory_atomic(target) as work:
            (work / text).write_text(text)
    assert [path.name for path in target.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot write"):
        write_text(tmp_path / "file" / "below", "x")
