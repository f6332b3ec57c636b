"""Memoised time(bytes, tokens) tables for system runs, made from command-level streams.

At a given strain (tokens beyond what the unit sustains) a table holds the time of a port for
sizes a factor sqrt(2) apart; between them it is interpolated, beyond them continued by the last
slope.  Work may start anywhere between two refreshes, so times are means over four phases.
``calibration`` shows how far that is from command-level runs of other sizes.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.sim.nearmem.command_level import arithmetic_ns, run_port, strain_of
from m3vit.sim.nearmem.unit import NearUnit

_SIZES = np.unique(np.round(2 ** np.arange(10, 22.5, 0.5)).astype(np.int64))
"""Bytes a port of the tabulated runs, 1 KiB to 4 MiB."""

_PHASES = (0.125, 0.375, 0.625, 0.875)


@lru_cache(maxsize=4096)
def _times(unit: NearUnit, tokens: int, element_bytes: float) -> NDArray[np.float64]:
    """Command-level times in ns for ``_SIZES``."""
    return np.array([_mean_ns(unit, int(n), tokens, element_bytes) for n in _SIZES])


def _mean_ns(unit: NearUnit, port_bytes: int, tokens: int, element_bytes: float) -> float:
    phases = _PHASES if unit.banks_per_command else _PHASES[-1:]
    runs = [run_port(unit, port_bytes, tokens, element_bytes, phase) for phase in phases]
    return sum(run.time_ns for run in runs) / len(runs)


@lru_cache(maxsize=64)
def _nj_per_byte(unit: NearUnit) -> float:
    size = int(_SIZES[-1])
    return run_port(unit, size, 1).energy_nj / size


def _sustained(unit: NearUnit, element_bytes: float) -> int:
    """Tokens up to which the reads alone decide."""
    return max(1, int(unit.op_per_byte * element_bytes / 2))


def near_time_ns(
    unit: NearUnit, weight_bytes: float, tokens: int, element_bytes: float = 2.0
) -> float:
    """Time for weights spread evenly over the device's ports; nothing for no tokens."""
    if tokens < 1 or weight_bytes <= 0:
        return 0.0
    port_bytes = weight_bytes / unit.ports
    if not unit.buffered:
        return _look_up(
            _times(unit, max(tokens, _sustained(unit, element_bytes)), element_bytes), port_bytes
        )
    reading = _look_up(_times(unit, _sustained(unit, element_bytes), element_bytes), port_bytes)
    strain = strain_of(unit, tokens, element_bytes)
    return max(reading, arithmetic_ns(unit, port_bytes, strain))


def _look_up(times: NDArray[np.float64], port_bytes: float) -> float:
    if port_bytes <= _SIZES[-1]:
        return float(np.interp(port_bytes, _SIZES, times))
    slope = (times[-1] - times[-3]) / (_SIZES[-1] - _SIZES[-3])
    return float(times[-1] + slope * (port_bytes - _SIZES[-1]))


def near_energy_nj(unit: NearUnit, weight_bytes: float) -> float:
    """DRAM energy of one pass over the weights."""
    return _nj_per_byte(unit) * weight_bytes


def calibration(
    unit: NearUnit,
    sizes: Sequence[int] = (10_000, 40_000, 150_000, 600_000, 2_500_000, 6_000_000),
    tokens: Sequence[int] = (1, 8, 32),
) -> list[dict[str, Any]]:
    """Table against command level, as records with the relative error."""
    rows = []
    for port_bytes in sizes:
        for count in tokens:
            exact = _mean_ns(unit, port_bytes, count, 2.0)
            table = near_time_ns(unit, port_bytes * unit.ports, count)
            rows.append(
                {
                    "unit": unit.name,
                    "port_bytes": port_bytes,
                    "tokens": count,
                    "command_level_ns": round(exact, 2),
                    "table_ns": round(table, 2),
                    "error": table / exact - 1,
                }
            )
    return rows


def stream_efficiency(unit: NearUnit) -> float:
    """Share of the peak bandwidth that a long stream for one token reaches."""
    size = int(_SIZES[-1])
    return size / run_port(unit, size, 1).time_ns / (unit.peak_gbps / unit.ports)
