"""A run as a record: every number with the settings that it depends on."""

from dataclasses import asdict
from typing import Any

import numpy as np

from m3vit.sim.dram.channel import ChannelResult
from m3vit.sim.dram.energy import energy_nj
from m3vit.sim.dram.options import Options
from m3vit.sim.dram.table import MemoryTable


def record(table: MemoryTable, options: Options, result: ChannelResult) -> dict[str, Any]:
    """JSON-ready record of a run; latencies are of reads, from acceptance to the last beat."""
    latency = result.read_latency_ticks() * result.tick_ps / 1000
    quantiles = np.quantile(latency, (0.5, 0.99)) if latency.size else (0.0, 0.0)
    settings = asdict(options)
    settings.pop("log_commands")
    return {
        "evidence": "simulated",
        "memory": table.name,
        "memory_source": table.source,
        **settings,
        "requests": int(result.arrive.size),
        "ticks": result.ticks,
        "tick_ps": result.tick_ps,
        "time_us": round(result.time_us, 6),
        "access_bytes": result.access_bytes,
        "bandwidth_gbps": round(result.bandwidth_gbps, 4),
        "peak_gbps": result.peak_gbps,
        "efficiency": round(result.bandwidth_gbps / result.peak_gbps, 4),
        "reads_served": result.served,
        "row_hits": result.row_hits,
        "row_misses": result.row_misses,
        "row_conflicts": result.row_conflicts,
        "writes_coalesced": result.coalesced,
        "reads_forwarded": result.forwarded,
        "read_latency_ns": {
            "mean": round(float(latency.mean()), 3) if latency.size else 0.0,
            "median": round(float(quantiles[0]), 3),
            "p99": round(float(quantiles[1]), 3),
        },
        "commands": {name: count for name, count in result.commands.items() if count},
        "energy_nj": {name: round(value, 3) for name, value in energy_nj(table, result).items()},
        "energy_source": table.energy.source,
    }
