"""Vivado's reports of a build: what they say, as data, and whether it passes.

The rules are those by which ``scripts/checks.tcl`` ends a build; this reads reports afterwards,
also those of a build elsewhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from m3vit.hw.errors import ToolError
from m3vit.hw.records import Evidence, ResultRecord, figure

TIMING, UTILISATION, POWER = "timing.rpt", "utilization.rpt", "power.rpt"

LIMITS: Mapping[str, float] = MappingProxyType(
    {"CLB LUTs": 85.0, "CLB Registers": 90.0, "Block RAM Tile": 100.0, "URAM": 100.0, "DSPs": 100.0}
)
"""Rows of the utilisation report and the largest share in percent; logic needs room to route."""

CLOCK = "clk_pl_0"
_KINDS = ("setup", "hold", "pulse width")
_UNCHECKED = ("no_clock", "unconstrained_internal_endpoints")
_NUMBER = r"-?\d+\.\d+"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """One row of the utilisation report."""

    used: float
    available: float

    @property
    def percent(self) -> float:
        """Share of what the chip has."""
        return 100 * self.used / self.available if self.available else 0.0


@dataclass(frozen=True, kw_only=True)
class BuildReports:
    """What was built: slacks in ns, the clock, cells, power in W (None without its report)."""

    tool: str
    device: str
    slack_ns: Mapping[str, float]
    failing_endpoints: Mapping[str, int]
    unchecked: Mapping[str, int]
    clock_mhz: float
    cells: Mapping[str, Usage]
    power_w: float | None

    @property
    def reachable_mhz(self) -> float:
        """The clock at which the worst setup slack would be zero."""
        return 1e3 / (1e3 / self.clock_mhz - self.slack_ns["setup"])

    def failures(self, multipliers: int = 0) -> list[str]:
        """Reasons why this build must not be used; ``multipliers`` = DSPs of the array."""
        found = [
            f"worst {kind} slack is {slack:g} ns ({self.failing_endpoints[kind]} endpoints fail)"
            for kind, slack in self.slack_ns.items()
            if slack < 0
        ]
        found += [f"{kind} is {count}, not 0" for kind, count in self.unchecked.items() if count]
        found += [
            f"{name}: {usage.percent:.1f} % are used, at most {LIMITS[name]:g} %"
            for name, usage in self.cells.items()
            if usage.percent > LIMITS[name]
        ]
        if self.cells["DSPs"].used < multipliers:
            found.append(
                f"DSPs: {self.cells['DSPs'].used:g} are used, the array has {multipliers}: "
                "synthesis removed a part of the machine"
            )
        return found

    def to_dict(self, multipliers: int = 0) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "tool": self.tool,
            "device": self.device,
            "slack_ns": dict(self.slack_ns),
            "failing_endpoints": dict(self.failing_endpoints),
            "unchecked": dict(self.unchecked),
            "clock_mhz": self.clock_mhz,
            "reachable_mhz": self.reachable_mhz,
            "cells": {
                name: {"used": usage.used, "available": usage.available, "percent": usage.percent}
                for name, usage in self.cells.items()
            },
            "power_w": self.power_w,
            "failures": self.failures(multipliers),
        }

    def to_record(self, machine: str, device: str, digest: str) -> ResultRecord:
        """Cells and clock as a result record; evidence ``modelled``: the tool's own analysis."""
        said = {
            "clock_mhz": self.clock_mhz,
            "resources": {name: usage.used for name, usage in self.cells.items()},
        }
        source = f"{self.tool}, placed and routed"
        figures = {
            name: figure(name, value, Evidence.MODELLED, source) for name, value in said.items()
        }
        return ResultRecord(
            model=machine, task="implementation", device=device, digest=digest, figures=figures
        )


def read_reports(folder: Path) -> BuildReports:
    """Read the reports in ``folder``.

    Raises:
        ToolError: one is missing, cut off or of another kind.
    """
    timing, cells = _read(folder / TIMING), _read(folder / UTILISATION)
    slack, failing = _slacks(timing, folder / TIMING)
    power = folder / POWER
    return BuildReports(
        tool=_header(cells, "Tool Version", folder / UTILISATION),
        device=_header(cells, "Device", folder / UTILISATION),
        slack_ns=slack,
        failing_endpoints=failing,
        unchecked={kind: _unchecked(timing, kind, folder / TIMING) for kind in _UNCHECKED},
        clock_mhz=_clock(timing, folder / TIMING),
        cells=_cells(cells, folder / UTILISATION),
        power_w=_power(_read(power), power) if power.exists() else None,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise ToolError(
            f"cannot read report {path}: {error.strerror}; it is written by a build"
        ) from error


def _match(pattern: str, text: str, path: Path, what: str) -> re.Match[str]:
    found = re.search(pattern, text, re.M)
    if found is None:
        raise ToolError(f"report {path} has no {what}; it is another report, or cut off")
    return found


def _header(text: str, name: str, path: Path) -> str:
    """What follows ``name`` in the report's head, a tool's version without its build date."""
    line = _match(rf"^\| {name} +: (.*)$", text, path, f"line {name!r}").group(1)
    return re.sub(r"\s*\(.*", "", line).strip()


def _slacks(text: str, path: Path) -> tuple[dict[str, float], dict[str, int]]:
    row = rf"({_NUMBER}) +{_NUMBER} +(\d+) +\d+"
    pattern = rf"WNS\(ns\).*\n[- ]*\n *{row} +{row} +{row}"
    values = _match(pattern, text, path, "summary of slacks (is anything constrained?)").groups()
    slack = {kind: float(value) for kind, value in zip(_KINDS, values[::2], strict=True)}
    failing = {kind: int(value) for kind, value in zip(_KINDS, values[1::2], strict=True)}
    return slack, failing


def _unchecked(text: str, kind: str, path: Path) -> int:
    return int(_match(rf"checking {kind} \((\d+)\)", text, path, f"check {kind}").group(1))


def _clock(text: str, path: Path) -> float:
    pattern = rf"^ *{CLOCK} +\{{[^}}]*\}} +{_NUMBER} +({_NUMBER})"
    return float(_match(pattern, text, path, f"clock {CLOCK}").group(1))


def _cells(text: str, path: Path) -> dict[str, Usage]:
    """Rows ``| name | used | fixed | (prohibited |) available | util% |`` by name."""
    found = {}
    for name in LIMITS:
        row = _match(rf"^\| *{name}\*? *\|(.*)\|\s*$", text, path, f"row {name!r}").group(1)
        values = [value.strip() for value in row.split("|")]
        found[name] = Usage(used=float(values[0]), available=float(values[-2]))
    return found


def _power(text: str, path: Path) -> float:
    pattern = r"^\| Total On-Chip Power \(W\) +\| +([\d.]+)"
    return float(_match(pattern, text, path, "total power").group(1))
