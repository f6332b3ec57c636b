"""Progress for people, on standard error; results go to standard output."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """One line on standard error."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step, and its time when it is done."""
    say(f"{text} ...")
    started = time.perf_counter()
    yield
    say(f"  done in {time.perf_counter() - started:.1f} s")
