"""Writing files so that nobody ever sees half of one."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from m3vit.hw.errors import M3vitError


class WriteError(M3vitError):
    """A file or directory could not be written (disk full, no permission)."""


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(
            f"cannot write {path}: {reason}; nothing was left behind, free space or write elsewhere"
        ) from error


def write_atomic(path: Path, fill: Callable[[BinaryIO], object]) -> Path:
    """Write ``path`` through ``fill(stream)``; on any failure the old content stays.

    Raises:
        WriteError: the file system refused.
    """
    with _named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                fill(stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, data: bytes) -> Path:
    """Write ``data`` to ``path`` at once or not at all."""
    return write_atomic(path, lambda stream: stream.write(data))


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 ``text`` to ``path`` at once or not at all."""
    return write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> Path:
    """Write ``value`` as indented JSON with sorted keys, reproducibly."""
    return write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


@contextmanager
def directory_atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary directory that becomes ``path`` on success and vanishes on failure.

    An existing ``path`` is replaced only when everything has been written.
    """
    with _named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield work
            os.chmod(work, 0o777 & ~_umask())
            _replace_directory(work, path)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise


def _replace_directory(new: Path, path: Path) -> None:
    if not path.exists():
        os.replace(new, path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    os.replace(path, old / "x")
    os.replace(new, path)
    shutil.rmtree(old)
