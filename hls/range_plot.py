"""Ranges as a picture: magnitudes of every stage as boxes, its format as the bar behind."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.hls.ranges import Range
from m3vit.hw.files import write_bytes

ROW_INCHES, WIDTH_INCHES = 0.28, 8.0


def plot_ranges(ranges: Sequence[Range], path: Path) -> Path:
    """Write one panel a layer to ``path`` (.png or .svg): 1 to 99 % thin, quartiles thick, largest
    as a dot, on a scale of bits.

    Raises:
        WriteError: the file system refused.
    """
    from matplotlib.figure import Figure  # late: only this needs it

    layers = list(dict.fromkeys(entry.layer for entry in ranges))
    counts = [sum(entry.layer == layer for entry in ranges) for layer in layers]
    figure = Figure(
        figsize=(WIDTH_INCHES, ROW_INCHES * sum(counts) + 0.7 * len(layers)), layout="constrained"
    )
    panels = figure.subplots(
        len(layers), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": counts}
    )
    for layer, axes in zip(layers, panels[:, 0], strict=True):
        _panel(axes, layer, [entry for entry in ranges if entry.layer == layer])
    panels[-1, 0].set_xlabel("bits of the magnitude")
    stream = io.BytesIO()
    figure.savefig(stream, format=path.suffix.removeprefix(".") or "png", dpi=110)
    return write_bytes(path, stream.getvalue())


def _bits(value: float) -> float:
    return float(np.log2(max(value, 1.0)))


def _panel(axes: Any, layer: str, ranges: Sequence[Range]) -> None:
    for row, entry in enumerate(ranges):
        axes.barh(row, entry.bits - 1, height=0.8, color="#dddddd")
        low, first, middle, third, high = map(_bits, entry.quantiles)
        largest = _bits(max(entry.largest, -entry.smallest))
        axes.plot([low, high], [row, row], color="#1f4e79", linewidth=1)
        axes.plot([first, third], [row, row], color="#1f4e79", linewidth=6, solid_capstyle="butt")
        axes.plot([middle], [row], marker="|", color="white", markersize=7)
        full = largest > entry.bits - 1.01
        axes.plot(
            [largest], [row], marker="o", color="#c00000" if full else "#1f4e79", markersize=4
        )
    axes.set_yticks(range(len(ranges)), [f"{entry.stage} int{entry.bits}" for entry in ranges])
    axes.invert_yaxis()
    axes.set_title(layer, loc="left", fontsize=10)
