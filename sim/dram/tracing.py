"""Memory traces: text files and generated patterns.

A line of a trace file is ``R ADDRESS`` or ``W ADDRESS``, the address in bytes (decimal or 0x),
optionally followed by the earliest tick of its arrival.  ``#`` starts a comment.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram.kernel.layout import Ints

_KINDS = {"R": 0, "LD": 0, "W": 1, "ST": 1}


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Requests in order: byte addresses, 1 for writes, earliest arrival in ticks (int64 each)."""

    address: Ints
    write: Ints
    not_before: Ints


def make_trace(address: Ints, write: Ints | None = None, not_before: Ints | None = None) -> Trace:
    """A trace from arrays; reads without pauses unless told otherwise."""
    zeros = np.zeros(address.size, np.int64)
    return Trace(
        address=address.astype(np.int64),
        write=zeros if write is None else write.astype(np.int64),
        not_before=zeros if not_before is None else not_before.astype(np.int64),
    )


def sequential(total_bytes: int, access_bytes: int) -> Trace:
    """Reads of ``total_bytes`` from address zero on."""
    return make_trace(np.arange(total_bytes // access_bytes, dtype=np.int64) * access_bytes)


def random_lines(count: int, seed: int = 12345) -> Trace:
    """Reads of random 64-byte lines in 1 GiB."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return make_trace(generator.integers(0, 2**24, count) * 64)


def parse_source(text: str, access_bytes: int) -> Trace:
    """A trace file, or ``stream:BYTES`` or ``random:COUNT`` for generated reads.

    Raises:
        ConfigurationError: as ``read_trace``, or a size that is not a positive number.
    """
    kind, colon, size = text.partition(":")
    if not colon or kind not in ("stream", "random"):
        return read_trace(Path(text))
    if not size.isdigit() or not 0 < int(size) <= 2**32:
        raise ConfigurationError(f"{kind}: needs a positive whole number, got {size!r}")
    if kind == "random":
        return random_lines(int(size))
    return sequential(max(int(size), access_bytes), access_bytes)


def read_trace(path: Path) -> Trace:
    """Read a trace file.

    Raises:
        ConfigurationError: the file is missing or empty, or a line does not parse (named by its
            number).
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"trace {path} cannot be read: {error}") from error
    parsed = [
        _parse(path, number, body)
        for number, line in enumerate(lines, 1)
        if (body := line.partition("#")[0].strip())
    ]
    if not parsed:
        raise ConfigurationError(f"trace {path} holds no request; expected lines like `R 0x1000`")
    columns = np.array(parsed, np.int64)
    return make_trace(columns[:, 1], columns[:, 0], columns[:, 2])


def _parse(path: Path, number: int, text: str) -> tuple[int, int, int]:
    parts = text.split()
    try:
        if len(parts) not in (2, 3):
            raise ValueError(f"{len(parts)} words")
        kind, address = _KINDS[parts[0].upper()], int(parts[1], 0)
        tick = int(parts[2], 0) if len(parts) == 3 else 0
        if not (0 <= address < 2**62 and 0 <= tick < 2**59):
            raise ValueError("number out of range")
    except (ValueError, KeyError) as error:
        raise ConfigurationError(
            f"trace {path}, line {number}: got {text!r}, expected `R|W ADDRESS [TICK]` ({error})"
        ) from error
    return kind, address, tick
