"""Time and energy of a near-memory unit for weights and tokens, command by command."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram.channel import simulate
from m3vit.sim.dram.energy import energy_nj
from m3vit.sim.dram.options import Options
from m3vit.sim.dram.tracing import sequential
from m3vit.sim.nearmem.stream import gaps_of, run_stream
from m3vit.sim.nearmem.unit import NearUnit


@dataclass(frozen=True, kw_only=True)
class PortRun:
    """One port's work: duration, and energy of its DRAM commands."""

    time_ns: float
    energy_nj: float
    activations: int
    reads: int
    refreshes: int


def run_port(
    unit: NearUnit,
    port_bytes: int,
    tokens: int,
    element_bytes: float = 2.0,
    phase: float = 1.0,
) -> PortRun:
    """Stream ``port_bytes`` of weights through one port for ``tokens`` tokens.

    Each weight element costs two operations a token; beyond ``op_per_byte`` arithmetic decides
    (buffered units), or the reads slow down with it.  The first refresh falls due after ``phase``
    refresh intervals (units behind an interface always start right after one).

    Raises:
        ConfigurationError: no bytes or no tokens.
    """
    if port_bytes < 1 or tokens < 1:
        raise ConfigurationError(f"bytes and tokens must be positive: {port_bytes}, {tokens}")
    strain = strain_of(unit, tokens, element_bytes)
    if not unit.banks_per_command:
        return _through_interface(unit, port_bytes, strain)
    table = unit.table
    reads = ceil(port_bytes / (table.access_bytes * unit.banks_per_command))
    stretch = 1.0 if unit.buffered else strain
    spacing = ceil(table.ticks(unit.spacing) * stretch - 1e-9)
    counts, state = np.zeros(4, np.int64), np.zeros((3, unit.bundles), np.int64)
    columns = table.organisation.columns
    gaps = gaps_of(table)
    due = int(gaps.interval * phase)
    ticks = run_stream(reads, columns, spacing, gaps, state, counts, due)
    banks = unit.banks_per_command
    energy = banks * (int(counts[0]) * unit.activate_nj + int(counts[1]) * unit.read_nj)
    return PortRun(
        time_ns=max(ticks * table.tick_ps / 1000, arithmetic_ns(unit, port_bytes, strain)),
        energy_nj=energy,
        activations=int(counts[0]),
        reads=int(counts[1]),
        refreshes=int(counts[3]),
    )


def _through_interface(unit: NearUnit, port_bytes: int, strain: float) -> PortRun:
    """An engine behind the ordinary interface: a stream of reads, or arithmetic if that is more."""
    table = unit.table
    options = Options(mapping="BgBaCoRo", requests_per_tick=4)
    result = simulate(
        table, sequential(max(port_bytes, table.access_bytes), table.access_bytes), options
    )
    return PortRun(
        time_ns=max(result.time_us * 1000, arithmetic_ns(unit, port_bytes, strain)),
        energy_nj=energy_nj(table, result)["total"],
        activations=result.commands["ACT"],
        reads=result.commands["RD"],
        refreshes=result.commands["REFab"],
    )


def strain_of(unit: NearUnit, tokens: int, element_bytes: float) -> float:
    """Arithmetic asked for over arithmetic sustained at full rate; 1 or more."""
    return max(1.0, 2.0 * tokens / element_bytes / unit.op_per_byte)


def arithmetic_ns(unit: NearUnit, port_bytes: float, strain: float) -> float:
    """Time of the arithmetic alone (at strain one it keeps up with the peak bandwidth)."""
    return port_bytes * strain / (unit.peak_gbps / unit.ports)
