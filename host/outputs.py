"""Writing several files of one step: all of them, or none."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from m3vit.hw.files import WriteError


def write_together(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write ``files`` (name -> content) into ``folder`` and return their paths.

    They are written aside first and renamed when all are complete, so that a full disk leaves
    neither a part of a file nor a part of the set.

    Raises:
        WriteError: the file system refused; what was in the folder before is untouched.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".writing.", dir=folder))
        try:
            for name, data in files.items():
                (work / name).write_bytes(data)
            for name in files:
                os.replace(work / name, folder / name)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise WriteError(
            f"cannot write to {folder}: {error.strerror or error}; nothing was left behind, free "
            "space or write elsewhere"
        ) from error
    return [folder / name for name in files]
