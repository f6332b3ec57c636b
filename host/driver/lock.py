"""One process at a time may drive a machine."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

from m3vit.hw.errors import DeviceError


class DeviceLock:
    """A lock of the whole computer by name, kept until ``release`` or the process ends.

    Raises:
        DeviceError: another process holds it; the message says which.
    """

    def __init__(self, name: str) -> None:
        safe = "".join(c if c.isalnum() else "-" for c in name)
        path = Path(tempfile.gettempdir()) / f"m3vit-{safe}.lock"
        self._handle: IO[str] | None = _opened(path)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = path.read_text().strip() or "unknown"
            self._handle.close()
            raise DeviceError(
                f"{name} is driven by another process (number {holder}); wait until it has ended, "
                "or end it"
            ) from error
        self._handle.truncate(0)
        self._handle.write(str(os.getpid()))
        self._handle.flush()

    def release(self) -> None:
        """Let others in; a second call changes nothing."""
        if self._handle is not None:
            self._handle.truncate(0)
            self._handle.close()
            self._handle = None


def _opened(path: Path) -> IO[str]:
    """The file, writable by every user: any of them may drive the board next."""
    mask = os.umask(0)
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+")
    except OSError as error:
        raise DeviceError(f"cannot open the lock {path}: {error.strerror}") from error
    finally:
        os.umask(mask)
