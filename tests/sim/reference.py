"""The stored reference runs, and how to repeat them here."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.sim.dram.channel import ChannelResult, simulate
from m3vit.sim.dram.load import load_memory
from m3vit.sim.dram.options import Options
from m3vit.sim.dram.tracing import Trace, make_trace, random_lines, sequential

DATA = Path(__file__).parent / "data"
_REFRESH = {"ab": "all-bank", "no": "none", "pb": "paired"}


@cache
def stored(name: str) -> Any:
    """A stored JSON document."""
    return json.loads(gzip.decompress((DATA / name).read_bytes()))


def runs() -> list[dict[str, Any]]:
    """The 48 stored Ramulator runs."""
    found: list[dict[str, Any]] = stored("ramulator_runs.json.gz")
    return found


def trace_of(name: str, access_bytes: int) -> Trace:
    """The trace that the reference runs call by this name."""
    if name.startswith("seq16MiB"):
        return sequential(16 << 20, access_bytes)
    if name.startswith("seq128KiB"):
        return sequential(128 << 10, access_bytes)
    lines = random_lines(65536)
    return make_trace(lines.address[:2048]) if name.startswith("rnd2k") else lines


def options_of(memory: str, **settings: Any) -> Options:
    """Settings as Ramulator's trace front end had them (HBM: four requests a tick)."""
    front = 4 if memory.startswith("hbm") else 2
    return Options(drain=False, requests_per_tick=front, **settings)


def repeat(run: dict[str, Any]) -> ChannelResult:
    """Simulate a stored run."""
    table = load_memory(run["memory"])
    options = options_of(
        run["memory"],
        mapping=run["mapper"],
        refresh=_REFRESH[run["refresh"]],
        scheduler="frfcfs" if run["scheduler"] == "FRFCFS" else "frfcfs-rowhit",
        read_queue=run["read_queue"],
    )
    return simulate(table, trace_of(run["trace"], table.access_bytes), options)


def stored_commands() -> dict[str, np.ndarray]:
    """Command logs by ``memory|trace_mapping``; rows clock, command, bank, row, column."""
    with np.load(DATA / "ramulator_commands.npz") as archive:
        logs = {name: archive[name].astype(np.int64) for name in archive.files}
    for log in logs.values():
        log[0] = np.cumsum(log[0])
    return logs
