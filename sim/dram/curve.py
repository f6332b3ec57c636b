"""Bandwidth against latency: the same pattern offered ever faster, as records and as a plot."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.hw import files
from m3vit.sim.dram.channel import simulate
from m3vit.sim.dram.options import Options
from m3vit.sim.dram.record import record
from m3vit.sim.dram.table import MemoryTable
from m3vit.sim.dram.tracing import make_trace

LOADS = (0.05, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Offered load as a share of the peak bandwidth."""


def bandwidth_latency(
    table: MemoryTable,
    options: Options,
    *,
    loads: Sequence[float] = LOADS,
    requests: int = 20_000,
    random: bool = False,
) -> list[dict[str, Any]]:
    """Records of one run per load: regular arrivals of a stream, or of random accesses.

    ``latency_since_due_ns`` counts from when a request should have come, the wait for a place in
    the queue included: beyond saturation it grows with the length of the run.
    """
    addresses = np.arange(requests, dtype=np.int64) * table.access_bytes
    if random:
        generator = np.random.Generator(np.random.PCG64(12345))
        addresses = generator.integers(0, 2**24, requests) * table.access_bytes
    ticks_at_peak = table.access_bytes / table.peak_gbps * 1000 / table.tick_ps
    runs = []
    for load in loads:
        due = np.floor(np.arange(requests) * ticks_at_peak / load).astype(np.int64)
        result = simulate(
            table, make_trace(addresses, not_before=due), replace(options, drain=True)
        )
        waited = (result.depart - due) * table.tick_ps / 1000
        runs.append(
            record(table, options, result)
            | {
                "offered_load": load,
                "pattern": "random" if random else "stream",
                "latency_since_due_ns": {
                    "mean": round(float(waited.mean()), 3),
                    "p99": round(float(np.quantile(waited, 0.99)), 3),
                },
            }
        )
    return runs


def plot(runs: Sequence[dict[str, Any]], path: Path) -> Path:
    """Draw mean and 99th percentile latency over achieved bandwidth, one pair per pattern."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    for pattern in dict.fromkeys(run["pattern"] for run in runs):
        chosen = [run for run in runs if run["pattern"] == pattern]
        bandwidth = [run["bandwidth_gbps"] for run in chosen]
        for key, style in (("mean", "-o"), ("p99", "--")):
            values = [run["latency_since_due_ns"][key] for run in chosen]
            axes.plot(bandwidth, values, style, label=f"{pattern}, {key}", markersize=3)
    first = runs[0]
    axes.axvline(first["peak_gbps"], color="grey", linewidth=0.8)
    axes.set_xlabel("bandwidth, GB/s (line: peak)")
    axes.set_ylabel("read latency since due, ns")
    axes.set_yscale("log")
    axes.set_ylim(10, 1e5)
    axes.set_xlim(0, 1.05 * first["peak_gbps"])
    axes.grid(alpha=0.3)
    axes.set_title(
        f"{first['memory']}, {first['mapping']}, {first['scheduler']}, "
        f"queue {first['read_queue']}, refresh {first['refresh']} (simulated)",
        fontsize=9,
    )
    axes.legend(fontsize=8)
    figure.tight_layout()
    written = files.write_atomic(path, lambda stream: figure.savefig(stream, format="png", dpi=120))
    pyplot.close(figure)
    return written
