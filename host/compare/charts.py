"""The charts of the comparison, each drawn on given matplotlib axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from m3vit.host.compare.entry import Entry
from m3vit.hw.machine import MachineConfig
from m3vit.hw.records import Evidence
from m3vit.hw.routing_trace import TracedPlan

COLOURS = {
    Evidence.MEASURED: "#1b7f3b",
    Evidence.RTL: "#5b3fa8",
    Evidence.SIMULATED: "#2f6fb7",
    Evidence.MODELLED: "#d98b1f",
    Evidence.PUBLISHED: "#8a8a8a",
}
"""A bar's colour is its evidence."""

MARKERS = "os^vD<>PX*"


def label(entry: Entry) -> str:
    """Workload, machine and, where it matters, the task."""
    task = f" ({entry.task})" if entry.task else ""
    return f"{entry.workload.model} · {entry.machine}{task}"


def bars(axes: Any, entries: Sequence[Entry], figure: str, unit: str, scale: float) -> None:
    """One horizontal bar an entry, coloured by evidence, on a logarithmic axis."""
    values = [scale * (entry.number(figure) or 0.0) for entry in entries]
    kinds = [entry.values[figure].evidence for entry in entries]
    places = range(len(entries))
    axes.barh(places, values, color=[COLOURS[kind] for kind in kinds])
    axes.set_yticks(places, [label(entry) for entry in entries])
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(unit)
    for kind in dict.fromkeys(kinds):
        axes.bar(0, 0, color=COLOURS[kind], label=kind.value)
    axes.legend(loc="best")


def stack(axes: Any, entries: Sequence[Entry], figure: str, unit: str, scale: float) -> None:
    """One horizontal bar an entry, cut into the figure's parts by name, as shares of the whole."""
    tables = [entry.values[figure].value for entry in entries]
    names = list(dict.fromkeys(name for table in tables for name in table))
    totals = np.array([max(sum(table.values()), 1e-30) for table in tables])
    left = np.zeros(len(entries))
    for name in names:
        share = np.array([table.get(name, 0.0) for table in tables]) / totals
        axes.barh(range(len(entries)), share, left=left, label=name)
        left += share
    axes.set_yticks(
        range(len(entries)),
        [
            f"{label(entry)}: {scale * total:.3g} {unit}"
            for entry, total in zip(entries, totals, strict=True)
        ],
    )
    axes.invert_yaxis()
    axes.set_xlabel("share")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def intensity(entry: Entry) -> tuple[float, float] | None:
    """MACs a DRAM byte and GMAC a second, None where one of the three is missing."""
    latency, moved = entry.number("latency_ms"), entry.number("dram_bytes")
    if not latency or not moved or not entry.workload.macs:
        return None
    return entry.workload.macs / moved, entry.workload.macs / latency / 1e6


def roofline(axes: Any, entries: Sequence[Entry], machine: MachineConfig) -> None:
    """Our entries under the roof of ``machine``: two MACs a DSP and cycle, or the memory's bytes.

    Other machines have roofs of their own.
    """
    peak = 2 * machine.multipliers * machine.clock_mhz / 1e3
    ours = [entry for entry in entries if entry.machine.startswith("ours")]
    points = [(entry, found) for entry in ours if (found := intensity(entry))]
    most = max(10 * peak / machine.memory_gbytes_per_s, *(x for _, (x, _) in points), 1.0)
    x = np.geomspace(1, most, 200)
    axes.plot(x, np.minimum(peak, machine.memory_gbytes_per_s * x), color="black")
    for number, (entry, (work, rate)) in enumerate(points):
        kind = entry.values["latency_ms"].evidence.value
        marker = MARKERS[number % len(MARKERS)]
        axes.scatter(work, rate, marker=marker, label=f"{label(entry)}, {kind}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("MAC a DRAM byte")
    axes.set_ylabel("GMAC/s")
    axes.set_title(
        f"roof of {machine.name}: {peak:.0f} GMAC/s, {machine.memory_gbytes_per_s:g} GB/s"
    )


def loads(axes: Any, trace: Sequence[TracedPlan]) -> None:
    """Histogram of tokens an expert received over its equal share, all blocks and images."""
    shares = np.concatenate(
        [one.plan.counts * len(one.plan.counts) / len(one.plan.tokens) for one in trace]
    )
    axes.hist(shares, bins=np.linspace(0, max(2.0, float(shares.max())), 33), color="#2f6fb7")
    axes.axvline(1, color="black", linestyle=":")
    axes.set_xlabel("tokens of an expert / equal share")
    axes.set_ylabel("experts")
    axes.set_title(f"{len(trace)} plans, {int((shares == 0).sum())} experts without a token")
