"""Reading a memory table from TOML, by name or from a user's file."""

import re
import sys
from collections.abc import Iterator, Mapping
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram import commands
from m3vit.sim.dram.checks import check
from m3vit.sim.dram.table import Energy, MemoryTable, Organisation, Rule, Timing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FOLDER = Path(__file__).parent / "memories"
_TERM = re.compile(r"([+-])([A-Za-z_]\w*|\d+)")


def memory_names() -> tuple[str, ...]:
    """Names of the memories that come with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_memory(name: str) -> MemoryTable:
    """Load a memory by name, or from the path of a TOML file.

    Raises:
        ConfigurationError: unknown name, unreadable file, missing key, or timing that contradicts
            itself (see ``checks``).
    """
    path = Path(name) if name.endswith(".toml") else _FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(memory_names())
        raise ConfigurationError(
            f"unknown memory {name!r}; known are {known}, or the path of a .toml table"
        )
    try:
        table = parse_memory(tomllib.loads(path.read_text()))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"memory table {path} is not valid TOML: {error}") from error
    except KeyError as error:
        raise ConfigurationError(f"memory table {path} lacks the key {error}") from error
    except (TypeError, AttributeError) as error:
        raise ConfigurationError(f"memory table {path} cannot be read: {error}") from error
    check(table)
    return table


def parse_memory(raw: Mapping[str, Any]) -> MemoryTable:
    """Turn a TOML document into a table without checking its physics."""
    timing = {name: _timing(name, raw, value) for name, value in raw["timing"].items()}
    per_clock = int(raw["ticks_per_clock"])
    occupancy = {commands.BY_NAME[name]: n for name, n in raw.get("command_ticks", {}).items()}
    rules = tuple(
        rule
        for entry in raw["rules"]["list"]
        for rule in _rules(entry, timing, per_clock, occupancy)
    )
    energy = dict(raw["energy"])
    source = str(energy.pop("source"))
    return MemoryTable(
        name=str(raw["name"]),
        controller=str(raw["controller"]),
        rate_mtps=int(raw["rate_mtps"]),
        clock_ps=int(raw["clock_ps"]),
        ticks_per_clock=per_clock,
        transfers_per_clock=int(raw["transfers_per_clock"]),
        bus_bits=int(raw["bus_bits"]),
        burst=int(raw["burst"]),
        peak_gbps=float(raw["peak_gbps"]),
        organisation=Organisation(**raw["organisation"]),
        timing=timing,
        rules=rules,
        read_latency=evaluate(str(raw["read_latency"]), timing, per_clock),
        energy=Energy(
            command_nj={name: float(value) for name, value in energy.items()},
            source=source,
        ),
        source=str(raw["source"]),
    )


def _timing(name: str, raw: Mapping[str, Any], value: Mapping[str, Any]) -> Timing:
    if "cycles" in value:
        return Timing(cycles=int(value["cycles"]), source=str(value["source"]))
    if "ns" in value:
        cycles = ceil(float(value["ns"]) * 1000 / int(raw["clock_ps"]) - 1e-9)
        return Timing(cycles=cycles, source=str(value["source"]))
    raise ConfigurationError(f"timing value {name} needs `cycles` or `ns`, got {dict(value)}")


def evaluate(formula: str, timing: Mapping[str, Timing], per_clock: int) -> int:
    """Ticks of a sum such as ``nCL + nBL + 2 - nCWL`` (plain numbers are clock cycles)."""
    text = re.sub(r"\s+", "", formula)
    text = text if text.startswith("-") else f"+{text}"
    total, end = 0, 0
    for term in _TERM.finditer(text):
        if term.start() != end:
            break
        end = term.end()
        total += (1 if term[1] == "+" else -1) * _value(term[2], formula, timing)
    if end != len(text) or not end:
        raise ConfigurationError(f"latency {formula!r} must be a sum of timing names and numbers")
    return total * per_clock


def _value(term: str, formula: str, timing: Mapping[str, Timing]) -> int:
    if term.isdigit():
        return int(term)
    if term not in timing:
        known = ", ".join(timing)
        raise ConfigurationError(f"latency {formula!r} names {term}; the table has {known}")
    return timing[term].cycles


def _command(name: str) -> int:
    if name not in commands.BY_NAME:
        known = ", ".join(commands.BY_NAME)
        raise ConfigurationError(f"unknown command {name!r} in a timing rule; known are {known}")
    return commands.BY_NAME[name]


def _rules(
    entry: Mapping[str, Any],
    timing: Mapping[str, Timing],
    per_clock: int,
    occupancy: Mapping[int, int],
) -> Iterator[Rule]:
    """Rules of one entry, split where commands occupy the bus for unlike times.

    Standards count from the last tick of one command to the first of the next; the simulator
    counts from first to first, which adds the difference of their lengths.
    """
    before = [_command(name) for name in entry["before"]]
    after = [_command(name) for name in entry["after"]]
    fixed = "ticks" in entry
    formula = f"{entry['ticks']} ticks" if fixed else str(entry["latency"])
    latency = int(entry["ticks"]) if fixed else evaluate(formula, timing, per_clock)
    pairs: dict[int, list[tuple[int, int]]] = {}
    for i, j in product(before, after):
        offset = 0 if fixed else occupancy.get(i, 1) - occupancy.get(j, 1)
        pairs.setdefault(offset, []).append((i, j))
    for offset, joined in pairs.items():
        yield Rule(
            level=str(entry["level"]),
            before=tuple(sorted({i for i, _ in joined})),
            after=tuple(sorted({j for _, j in joined})),
            latency=latency + offset,
            formula=formula,
            window=int(entry.get("window", 1)),
            sibling=bool(entry.get("sibling", False)),
        )
