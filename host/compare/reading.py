"""Entries from files: records one a line, estimates, GPU benchmarks, and the published table."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from m3vit.host.compare.entry import Entry, Value, Workload, entry_of_estimate, entry_of_record
from m3vit.hw.errors import M3vitError
from m3vit.hw.records import FORMAT, Evidence, RecordError, ResultRecord
from m3vit.hw.routing_trace import TracedPlan, load_trace

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
PUBLISHED = HERE / "published.toml"
RECORDS = HERE / "records"
BESIDE = ("m3vit-gpu-environment-1", "m3vit-gpu-layer-1")
"""Lines of a GPU benchmark's file that are no record of a whole image."""

_MEBIBYTE = 1 << 20


class CompareError(M3vitError):
    """Results cannot be read or compared."""


def read_entries(path: Path) -> list[Entry]:
    """Entries of a file of JSON lines, each a record or an estimate.

    Raises:
        CompareError: the file cannot be read, or a line is neither (it is numbered).
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CompareError(f"cannot read {path}: {error}; expected records, one a line") from error
    entries = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            entry = _entry(line, f"{path} line {number}")
            entries += [entry] if entry else []
    if not entries:
        raise CompareError(f"{path} holds no record; make some with `m3vit run --json`")
    return entries


def _entry(line: str, where: str) -> Entry | None:
    try:
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError(f"{type(values).__name__} instead of an object")
        if values.get("format") in BESIDE:
            return None
        if values.get("format") == FORMAT:
            return entry_of_record(ResultRecord.from_json(line))
        return entry_of_estimate(values)
    except (ValueError, KeyError, TypeError, AttributeError, RecordError) as error:
        raise CompareError(
            f"{where}: neither a record nor an estimate ({error}), expected what `m3vit run "
            "--json` or `m3vit estimate --json` prints"
        ) from error


def committed() -> list[Entry]:
    """The records that ship with the project, by name of their file."""
    return [entry for path in sorted(RECORDS.glob("*.jsonl")) for entry in read_entries(path)]


def committed_routing() -> list[TracedPlan]:
    """Routing of the shipped checkpoint on the shipped photograph, every task."""
    return load_trace(RECORDS / "routing-nano-scenes.npz")


def read_published(path: Path = PUBLISHED) -> list[Entry]:
    """Entries of the published table.

    Raises:
        CompareError: it cannot be read, or an entry lacks its source.
    """
    try:
        tables = tomllib.loads(path.read_text())["entry"]
        return [_published(table) for table in tables]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CompareError(f"{path} is no table of published figures: {error!r}") from error


def _published(table: Mapping[str, Any]) -> Entry:
    source = str(table["source"])
    figures = {name: table[name] for name in ("latency_ms", "energy_mj") if name in table}
    if "memory_mib" in table:
        figures["memory_bytes"] = round(table["memory_mib"] * _MEBIBYTE)
    return Entry(
        workload=Workload(model=table["model"], tokens=table.get("tokens"), macs=table.get("macs")),
        machine=table["machine"],
        values={
            name: Value(value=value, evidence=Evidence.PUBLISHED, source=source)
            for name, value in figures.items()
        },
    )


def gather(paths: Iterable[Path], published: bool) -> list[Entry]:
    """Entries of ``paths``, the committed ones if there are none, then the published ones."""
    given = [entry for path in paths for entry in read_entries(path)]
    return (given or committed()) + (read_published() if published else [])
