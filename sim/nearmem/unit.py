"""A near-memory unit as a table in a file: which banks one command reads, how often, for whom."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram.load import load_memory
from m3vit.sim.dram.table import MemoryTable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FOLDER = Path(__file__).parent / "units"


@dataclass(frozen=True, kw_only=True)
class NearUnit:
    """One kind of near-memory unit on a device.

    ``ports`` counts the independent command streams of the device (pseudo channels, or channels);
    each command reads one burst from ``banks_per_command`` banks every ``spacing`` (the name of a
    timing value).  Zero banks mean an engine behind the memory's ordinary interface.  Rows are
    taken in turn from ``bundles`` groups of banks, so that one opens while another is read.
    ``op_per_byte`` is arithmetic per byte read that the unit sustains at full rate; beyond it,
    a ``buffered`` unit reads ahead and then waits for its arithmetic, others stretch every read.
    """

    name: str
    memory: str
    ports: int
    banks_per_command: int
    bundles: int
    spacing: str
    buffered: bool
    op_per_byte: float
    read_nj: float
    activate_nj: float
    source: str

    @property
    def table(self) -> MemoryTable:
        """The memory that the unit sits on."""
        return _memory(self.memory)

    @property
    def peak_gbps(self) -> float:
        """Bandwidth of the device's units without row changes and refresh."""
        table = self.table
        if not self.banks_per_command:
            return self.ports * table.peak_gbps
        step_ps = table.ticks(self.spacing) * table.tick_ps
        return self.ports * self.banks_per_command * table.access_bytes / step_ps * 1000

    @property
    def peak_gflops(self) -> float:
        """Arithmetic of the device's units."""
        return self.peak_gbps * self.op_per_byte


@cache
def _memory(name: str) -> MemoryTable:
    return load_memory(name)


def unit_names() -> tuple[str, ...]:
    """Units that come with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_unit(name: str) -> NearUnit:
    """Load a unit by name, or from the path of a TOML file.

    Raises:
        ConfigurationError: unknown name, missing or unknown keys, impossible sizes.
    """
    path = Path(name) if name.endswith(".toml") else _FOLDER / f"{name}.toml"
    if not path.is_file():
        raise ConfigurationError(
            f"unknown near-memory unit {name!r}; known are {', '.join(unit_names())}, "
            "or the path of a .toml table"
        )
    try:
        raw = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"unit table {path} is not valid TOML: {error}") from error
    unit = NearUnit(**_checked_keys(path, raw))
    _check(unit)
    return unit


def _checked_keys(path: Path, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    known = {item.name for item in fields(NearUnit)}
    wrong = sorted(known.symmetric_difference(raw))
    if wrong:
        raise ConfigurationError(f"unit table {path}: missing or unknown keys {', '.join(wrong)}")
    return raw


def _check(unit: NearUnit) -> None:
    table = unit.table
    per_rank = table.organisation.banks_per_rank
    if unit.ports < 1 or unit.bundles < 1 or unit.op_per_byte <= 0:
        raise ConfigurationError(
            f"unit {unit.name}: ports, bundles and op_per_byte must be positive, got "
            f"{unit.ports}, {unit.bundles}, {unit.op_per_byte}"
        )
    if not 0 <= unit.banks_per_command * unit.bundles <= per_rank:
        raise ConfigurationError(
            f"unit {unit.name}: {unit.bundles} bundles of {unit.banks_per_command} banks do not "
            f"fit the {per_rank} banks of a port of {unit.memory}"
        )
    if unit.banks_per_command and not table.ticks(unit.spacing):
        raise ConfigurationError(
            f"unit {unit.name}: {unit.memory} has no timing value {unit.spacing!r}; "
            f"it has {', '.join(table.timing)}"
        )
