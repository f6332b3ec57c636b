"""A profile as a picture: units over time, and where each layer's cycles went."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.host.profile import UNITS, WAITS, Counts, Profile, Unit
from m3vit.hw.files import write_bytes

COLUMNS = 512
"""Most columns of the timeline; more bins than that are joined."""

_STATES = {"busy": "#2a6f97", "starved": "#f4a261", "held back": "#c1121f"}
_BEATS = 4.0
"""Read beats a cycle, at most: one a port."""


def write_picture(path: Path, profile: Profile) -> Path:
    """The timeline above, bars of the layers below, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layers = profile.kinds()
    rows = len(UNITS) + 1
    figure = Figure(figsize=(13, 0.75 * rows + 0.32 * len(layers) + 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(
        2, 1, height_ratios=[0.75 * rows + 0.6, 0.32 * len(layers) + 1.0]
    )
    _timeline(parts[0], profile)
    _bars(parts[1].subplots(), layers)
    total = profile.total["CYCLES"]
    figure.suptitle(
        f"{profile.model} on {profile.machine}: {total:,} cycles, array busy "
        f"{100 * profile.total['ARRAY_BUSY'] / max(1, total):.1f} % (counted in RTL simulation)"
    )
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return write_bytes(path, stream.getvalue())


def _timeline(part: Any, profile: Profile) -> None:
    joined = -(-len(profile.bins) // COLUMNS)
    cycles = _over_time(profile, ("CYCLES",), joined)
    ends = np.cumsum(cycles) / 1e3
    starts = ends - cycles / 1e3
    axes = part.subplots(len(UNITS) + 1, 1, sharex=True)
    for axis, (name, unit) in zip(axes, UNITS.items(), strict=False):
        _lane(axis, starts, ends, _shares(profile, unit, joined, cycles))
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    beats = _over_time(profile, ("READ_BEATS", "WRITE_BEATS"), joined) / np.maximum(cycles, 1)
    _lane(axes[-1], starts, ends, {"busy": beats / _BEATS})
    axes[-1].set_ylabel("memory", rotation=0, ha="right", va="center")
    axes[-1].set_xlabel("thousands of cycles (memory: share of four beats a cycle)")
    axes[0].set_xlim(0, ends[-1] if len(ends) else 1)
    _blocks(axes[0], profile)
    handles = [_patch(colour) for colour in _STATES.values()]
    part.legend(handles, list(_STATES), loc="outside right upper", fontsize=8)


def _over_time(profile: Profile, names: tuple[str, ...], joined: int) -> Any:
    values = np.array([sum(one[name] for name in names) for one in profile.bins], np.float64)
    return np.add.reduceat(values, np.arange(0, len(values), joined)) if len(values) else values


def _shares(profile: Profile, unit: Unit, joined: int, cycles: Any) -> dict[str, Any]:
    names = {
        "busy": (unit.busy,) if unit.busy else (),
        "starved": unit.starved,
        "held back": (unit.blocked,) if unit.blocked else (),
    }
    return {
        state: _over_time(profile, counters, joined) / np.maximum(cycles, 1)
        for state, counters in names.items()
        if counters
    }


def _lane(axis: Any, starts: Any, ends: Any, shares: dict[str, Any]) -> None:
    edges = np.append(starts, ends[-1:])
    below = np.zeros(len(starts))
    for state, share in shares.items():
        axis.stairs(below + share, edges, baseline=below, fill=True, color=_STATES[state])
        below = below + share
    axis.set_ylim(0, 1)
    axis.set_yticks([])


def _blocks(axis: Any, profile: Profile) -> None:
    """Where each transformer block begins."""
    seen: set[int] = set()
    for step in profile.steps:
        if step.block not in seen and step.op not in ("CONFIG", "END"):
            seen.add(step.block)
            axis.axvline(step.first / 1e3, color="black", linewidth=0.6)
            axis.text(step.first / 1e3, 1.03, f" {step.block}", fontsize=7, va="bottom")


def _patch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour)


def _bars(axis: Any, layers: dict[str, Counts]) -> None:
    """Cycles of the array in each layer: busy, waiting by cause, held back."""
    from matplotlib import colormaps

    causes = {"busy": "ARRAY_BUSY", **{n.removeprefix("ARRAY_WAIT_").lower(): n for n in WAITS}}
    causes["held back"] = "ARRAY_BLOCKED"
    shades = colormaps["tab20"]
    left = np.zeros(len(layers))
    for number, (label, counter) in enumerate(causes.items()):
        values = np.array([counts[counter] for counts in layers.values()]) / 1e3
        colour = _STATES.get(label) or shades(2 * number + 1)
        axis.barh(list(layers), values, left=left, color=colour, label=label)
        left = left + values
    axis.invert_yaxis()
    axis.set_xlabel("thousands of cycles of the array by layer")
    axis.legend(fontsize=7, ncols=5, loc="lower right")
