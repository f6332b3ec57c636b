"""Result records as a text table that says how each figure was come by."""

from collections.abc import Callable, Sequence
from typing import Any

from m3vit.hw.records import FIGURES, Figure, RecordError, ResultRecord

COLUMNS = ("model", "task", "device", "tokens", "macs", "cycles", "latency_ms", "dram_bytes")
"""Shown unless others are asked for."""

_SCALES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "macs": ("GMAC", lambda v: f"{v / 1e9:.3f}"),
    "cycles": ("M cycles", lambda v: f"{v / 1e6:.4f}"),
    "latency_ms": ("ms", lambda v: f"{v:.3f}"),
    "dram_bytes": ("DRAM MB", lambda v: f"{v / 1e6:.2f}"),
    "experts_used": ("experts used", lambda v: str(sum(v))),
    "clock_mhz": ("MHz", lambda v: f"{v:g}"),
    "energy_mj": ("mJ", lambda v: f"{v:.2f}"),
}
NOTHING = "-"


def text_table(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Rows under their header (the first row), columns aligned, ``right`` flush where true."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(right))]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, right, strict=True)
        return "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in cells).rstrip()

    rule = "  ".join("-" * width for width in widths).rstrip()
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def _shown(name: str, entry: Figure | None) -> str:
    if entry is None:
        return NOTHING
    scale = _SCALES.get(name)
    return scale[1](entry.value) if scale else str(entry.value)


def _column(records: Sequence[ResultRecord], name: str) -> list[str]:
    if name not in FIGURES:
        return [name, "", *(getattr(record, name) for record in records)]
    entries = [record.figures.get(name) for record in records]
    kinds = {entry.evidence.value for entry in entries if entry}
    title = _SCALES.get(name, (name,))[0]
    if len(kinds) <= 1:
        return [title, *(kinds or {""}), *(_shown(name, entry) for entry in entries)]
    marked = [
        f"{_shown(name, entry)} {entry.evidence.value}" if entry else NOTHING for entry in entries
    ]
    return [title, "", *marked]


def render_table(records: Sequence[ResultRecord], columns: Sequence[str] = COLUMNS) -> str:
    """Records as rows.  The evidence stands under the column's title if all figures share it, else
    beside each figure.

    Raises:
        RecordError: a column is neither a text nor a figure of a record.
    """
    texts = ("model", "task", "device", "image", "digest", "package_digest")
    for name in columns:
        if name not in FIGURES and name not in texts:
            raise RecordError(f"table: unknown column {name!r}, expected a figure or {texts}")
    cells = [_column(records, name) for name in columns]
    return text_table(list(zip(*cells, strict=True)), [name in FIGURES for name in columns])
