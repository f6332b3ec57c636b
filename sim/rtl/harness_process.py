"""A running simulator: lines out, one line back, never waited for without end."""

import os
import select
import subprocess
import threading
import time
from pathlib import Path

from m3vit.hw.errors import DeviceError

ANSWER_S = 300.0
"""Seconds of the host's clock after which a simulator counts as hung; no answer takes minutes."""

_CHUNK = 4096


class HarnessProcess:
    """The process around ``program``.

    It has a session of its own, so that Ctrl-C reaches this process only, which then ends the run
    in order.  An answer that an interruption kept from being read is skipped by the next call.
    """

    def __init__(self, program: Path, name: str) -> None:
        self._name, self._lock = name, threading.Lock()
        self._unread, self._pending = 0, b""
        self._process = subprocess.Popen(
            [str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )

    def tell(self, line: str) -> str:
        """Send ``line`` and return the answer.

        Raises:
            DeviceError: the process has ended or hangs, or it answers with an error.
        """
        with self._lock:
            self._send(line)
            while self._unread:
                answer = self._answer()
                self._unread -= 1
        if answer.startswith("error"):
            raise DeviceError(f"{self._name}: {line!r} was answered by {answer!r}")
        return answer

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
        except OSError as error:
            raise self._gone() from error
        self._unread += 1

    def _answer(self) -> str:
        assert self._process.stdout is not None
        stream, deadline = self._process.stdout, time.monotonic() + ANSWER_S
        while b"\n" not in self._pending:
            ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self._process.kill()
                raise DeviceError(f"{self._name}: no answer within {ANSWER_S:.0f} s; it was ended")
            chunk = os.read(stream.fileno(), _CHUNK)
            if not chunk:
                raise self._gone()
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode().strip()

    def _gone(self) -> DeviceError:
        code = self._process.poll()
        return DeviceError(
            f"{self._name}: the device has gone (the simulator ended with code {code}); open it "
            "again and load the packages"
        )

    def kill(self) -> None:
        """End the process at once, as a board that loses its power does."""
        self._process.kill()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
