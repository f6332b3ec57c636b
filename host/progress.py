"""Progress for people, on standard error; results go to standard output."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """One line on standard error."""
    print(text, file=sys.stderr, flush=True)


class Patient:
    """Speaks only when two seconds have passed: short work needs no progress."""

    def __init__(self, seconds: float = 2.0) -> None:
        self._from = time.perf_counter() + seconds

    def __call__(self, text: str) -> None:
        """One line on standard error, if it is time."""
        if time.perf_counter() >= self._from:
            say(text)


class Seldom:
    """Speaks at most every two seconds: of many small steps, the one that was just done."""

    def __init__(self, seconds: float = 2.0) -> None:
        self._seconds, self._next = seconds, time.perf_counter() + seconds

    def __call__(self, text: str) -> None:
        """One line on standard error, if it is time."""
        if time.perf_counter() >= self._next:
            self._next = time.perf_counter() + self._seconds
            say(text)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step, and its time when it is done."""
    say(f"{text} ...")
    started = time.perf_counter()
    yield
    say(f"  done in {time.perf_counter() - started:.1f} s")
