"""Boards as data: one folder with a ``board.toml`` each."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from m3vit.hw.cost.resources import Resources
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig, machine_preset

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "board.toml"
MEMORY_PORTS = ("HPC0", "HPC1", "HP0", "HP1", "HP2", "HP3")
"""Slave ports of the Zynq UltraScale+ that reach its DRAM, in the order of the vendor's SAXIGP."""

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class BoardMemory:
    """The external memory, as the programmable logic sees it."""

    nominal_gbytes_per_s: float
    """Pins times transfers."""
    planning_gbytes_per_s: float
    """What plans are made with; see ``source``."""
    ports: int
    port_bits: int
    source: str


@dataclass(frozen=True, kw_only=True)
class BoardPlatform:
    """What the vendor's tools and the processing system need to know."""

    device: str
    """Full part name."""
    board_part: str
    """Board files with the preset of the processing system."""
    memory_ports: tuple[str, ...]
    """Slave ports of the processing system, one for each of our masters in their order."""
    ddr_gbytes: float
    pll: str
    """Phase-locked loop that the programmable logic's clock is divided from."""
    pll_mhz: float


@dataclass(frozen=True, kw_only=True)
class BoardConfig:
    """A board: its chip's resources, its memory and the machine that is built for it."""

    name: str
    title: str
    part: str
    clock_mhz: float
    resources: Resources
    memory: BoardMemory
    platform: BoardPlatform
    preset: str
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_uram(self) -> bool:
        """Whether large stores go to UltraRAM (else to block RAM)."""
        return self.resources.uram > 0

    def machine(self, preset: str | None = None) -> MachineConfig:
        """The board's own machine, or a named one, at this board's clock and memory.

        Raises:
            ConfigurationError: there is no such machine, or an override is not one of its fields.
        """
        machine = machine_preset(preset or self.preset)
        values = machine.to_dict() | (dict(self.overrides) if preset is None else {})
        return replace(
            MachineConfig.from_dict(values),
            clock_mhz=self.clock_mhz,
            memory_gbytes_per_s=self.memory.planning_gbytes_per_s,
            memory_ports=self.memory.ports,
            port_bits=self.memory.port_bits,
        )

    def exceeded(self, needed: Resources) -> dict[str, tuple[int, int]]:
        """Kinds of cells of which more are ``needed`` than there are: name to (needed, present)."""
        return {
            kind: (need, have)
            for kind, need, have in zip(Resources._fields, needed, self.resources, strict=True)
            if need > have
        }


def board_names() -> tuple[str, ...]:
    """Boards that come with the project."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob(f"*/{FILE}")))


def load_board(name: str) -> BoardConfig:
    """The board called ``name``, or the one described by a ``.toml`` file.

    Raises:
        ConfigurationError: there is no such board, or its file is not a board.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / name / FILE
    if not name.endswith(".toml") and name not in board_names():
        raise ConfigurationError(
            f"unknown board {name!r}; boards are {', '.join(board_names())}, or give a .toml file"
        )
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"board file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"board file {path} is not TOML: {error}") from error
    return _board(values, path)


_TOP = {"name": str, "title": str, "part": str, "clock_mhz": float}
_RESOURCES = dict.fromkeys(Resources._fields, int)
_MEMORY = {
    "nominal_gbytes_per_s": float,
    "planning_gbytes_per_s": float,
    "ports": int,
    "port_bits": int,
    "source": str,
}
_PLATFORM = {
    "device": str,
    "board_part": str,
    "memory_ports": list,
    "ddr_gbytes": float,
    "pll": str,
    "pll_mhz": float,
}


def _board(values: Mapping[str, Any], path: Path) -> BoardConfig:
    tables = {"resources", "memory", "platform", "machine"}
    plain = {name: value for name, value in values.items() if name not in tables}
    top = _checked(plain, _TOP, f"board file {path}")
    parts = {name: _table(values, name, path) for name in tables}
    machine = dict(parts["machine"])
    overrides = machine.pop("overrides", {})
    preset = _checked(machine, {"preset": str}, f"board file {path}, [machine]")["preset"]
    return BoardConfig(
        **top,
        resources=Resources(
            **_checked(parts["resources"], _RESOURCES, f"board file {path}, [resources]")
        ),
        memory=BoardMemory(**_checked(parts["memory"], _MEMORY, f"board file {path}, [memory]")),
        platform=_platform(parts["platform"], f"board file {path}, [platform]"),
        preset=preset,
        overrides=overrides,
    )


def _platform(values: Mapping[str, Any], where: str) -> BoardPlatform:
    checked = _checked(values, _PLATFORM, where)
    ports = tuple(map(str, checked.pop("memory_ports")))
    unknown = sorted(set(ports) - set(MEMORY_PORTS))
    if unknown or len(set(ports)) != len(ports):
        raise ConfigurationError(
            f"{where}: memory_ports is {list(ports)}, expected distinct ones of "
            f"{', '.join(MEMORY_PORTS)}"
        )
    return BoardPlatform(memory_ports=ports, **checked)


def _table(values: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    table = values.get(name)
    if not isinstance(table, dict):
        raise ConfigurationError(f"board file {path}: no table [{name}]")
    return table


def _checked(values: Mapping[str, Any], expected: Mapping[str, type], where: str) -> dict[str, Any]:
    missing, unknown = sorted(set(expected) - set(values)), sorted(set(values) - set(expected))
    if missing or unknown:
        raise ConfigurationError(f"{where}: keys missing {missing}, unknown {unknown}")
    result = {}
    for name, kind in expected.items():
        value = values[name]
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if not fits or isinstance(value, bool) or (kind in (int, float) and value < 0):
            raise ConfigurationError(f"{where}: {name} is {value!r}, expected a {kind.__name__}")
        result[name] = kind(value)
    return result
