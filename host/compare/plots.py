"""The comparison as plots; matplotlib is imported here alone, and its files are reproducible."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from m3vit.host.compare import charts
from m3vit.host.compare.rows import Row
from m3vit.host.outputs import write_together
from m3vit.hw.machine import MachineConfig
from m3vit.hw.routing_trace import TracedPlan

_PLAIN_LINES = 12
"""Lines of a chart that has no line an entry."""

_BARS = (
    ("latency", "latency_ms", "ms an image", 1.0),
    ("energy", "energy_mj", "mJ an image", 1.0),
    ("memory", "memory_bytes", "MiB", 2.0**-20),
)
_STACKS = (
    ("dram", "dram_bytes_by_kind", "MB an image", 1e-6),
    ("layers", "phases_ms", "ms", 1.0),
)
Chart = Callable[[Any], None]


def _charts(
    rows: Sequence[Row], trace: Sequence[TracedPlan], machine: MachineConfig
) -> dict[str, tuple[int, Chart]]:
    """By name: number of lines, and what draws it; only what the entries have figures for."""
    entries = [entry for row in rows for entry in row.entries]
    found: dict[str, tuple[int, Chart]] = {}
    for draw, table in ((charts.bars, _BARS), (charts.stack, _STACKS)):
        for name, figure, unit, scale in table:
            held = [entry for entry in entries if figure in entry.values]
            if held:
                chart = partial(draw, entries=held, figure=figure, unit=unit, scale=scale)
                found[name] = len(held), chart
    placed = [entry for entry in entries if charts.intensity(entry)]
    if placed:
        chart = partial(charts.roofline, entries=placed, machine=machine)
        found["roofline"] = _PLAIN_LINES, chart
    if trace:
        found["expert_load"] = _PLAIN_LINES, partial(charts.loads, trace=trace)
    return found


def draw_all(
    rows: Sequence[Row], trace: Sequence[TracedPlan], machine: MachineConfig
) -> dict[str, bytes]:
    """Every chart as PNG and SVG, by name of the file."""
    return {
        f"{name}.{kind}": data
        for name, (lines, chart) in _charts(rows, trace, machine).items()
        for kind, data in _rendered(lines, chart).items()
    }


def _rendered(lines: int, chart: Chart) -> dict[str, bytes]:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    files = {}
    with matplotlib.rc_context({"svg.hashsalt": "m3vit", "font.size": 8}):
        figure = Figure(figsize=(9, 1.2 + 0.28 * lines), layout="constrained")
        FigureCanvasAgg(figure)
        chart(figure.add_subplot())
        for kind, absent in (("png", "Software"), ("svg", "Date")):
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, dpi=120, metadata={absent: None})
            files[kind] = stream.getvalue()
    return files


def write_plots(
    folder: Path, rows: Sequence[Row], trace: Sequence[TracedPlan], machine: MachineConfig
) -> list[Path]:
    """Draw into ``folder``; all files or none.

    Raises:
        WriteError: the file system refused.
    """
    return write_together(folder, draw_all(rows, trace, machine))
