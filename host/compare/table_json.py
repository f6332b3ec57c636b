"""The comparison as plain values, fit for JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from m3vit.host.compare.entry import Entry
from m3vit.host.compare.rows import Row, apart

FORMAT = "m3vit-compare-1"


def to_dict(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows with their entries, and why rows are apart."""
    return {
        "format": FORMAT,
        "rows": [
            {**asdict(row.workload), "entries": [_entry(entry) for entry in row.entries]}
            for row in rows
        ],
        "apart": apart(rows),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "machine": entry.machine,
        "task": entry.task,
        "figures": {
            name: {"value": v.value, "evidence": v.evidence.value, "source": v.source}
            for name, v in sorted(entry.values.items())
        },
    }
