"""Several channels at once: a trace spread over them, threads side by side as far as cores go."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram.channel import ChannelResult, simulate
from m3vit.sim.dram.options import Options
from m3vit.sim.dram.table import MemoryTable
from m3vit.sim.dram.tracing import Trace, make_trace


def spread(trace: Trace, channels: int, granule_bytes: int) -> list[Trace]:
    """Interleave a trace over channels in granules; addresses become channel-local.

    Raises:
        ConfigurationError: ``channels`` or the granule is below one.
    """
    if channels < 1 or granule_bytes < 1:
        raise ConfigurationError(
            f"channels and granule must be 1 or more, got {channels} and {granule_bytes}"
        )
    granule = trace.address // granule_bytes
    owner = granule % channels
    local = granule // channels * granule_bytes + trace.address % granule_bytes
    return [
        make_trace(local[mine], trace.write[mine], trace.not_before[mine])
        for mine in (owner == channel for channel in range(channels))
    ]


def simulate_channels(
    table: MemoryTable, traces: Sequence[Trace], options: Options, workers: int = 1
) -> list[ChannelResult]:
    """Run one trace per channel; the results do not depend on the number of workers."""
    if workers <= 1 or len(traces) == 1:
        return [simulate(table, trace, options) for trace in traces]
    with ThreadPoolExecutor(min(workers, len(traces))) as pool:
        return list(pool.map(simulate, repeat(table), traces, repeat(options)))


def combined_gbps(results: Sequence[ChannelResult]) -> float:
    """Bandwidth of all channels together over the longest run."""
    slowest = max(result.time_us for result in results)
    moved = float(np.sum([r.bandwidth_gbps * r.time_us for r in results]))
    return moved / max(slowest, 1e-12)
