"""Result records of what a device did, with the cost model's figures where it counted none."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from m3vit.host.devices.device import DeviceRun
from m3vit.host.runtime import Prediction
from m3vit.hw.commands.order import is_token_order
from m3vit.hw.cost import CycleReport, estimate_cycles
from m3vit.hw.cost.reordering import estimate_token_order
from m3vit.hw.package import Package
from m3vit.hw.record_table import render_table
from m3vit.hw.records import Evidence, Figure, ResultRecord, figure
from m3vit.hw.routing import RoutingPlan

COLUMNS = (
    "image",
    "task",
    "device",
    "tokens",
    "macs",
    "cycles",
    "latency_ms",
    "dram_bytes",
    "experts_used",
)


def digest_of_outputs(prediction: Prediction) -> str:
    """SHA-256 over the encoder's result and the logits: equal on every device."""
    total = hashlib.sha256(prediction.run.result.astype("<i2").tobytes())
    total.update(prediction.logits.astype("<i2").tobytes())
    return total.hexdigest()


def modelled(package: Package, plans: Mapping[int, RoutingPlan]) -> CycleReport:
    """Cycles and bytes of the package's machine with this routing."""
    if plans and is_token_order(package.commands):
        choices = np.stack([plans[block].per_token()[0] for block in sorted(plans)])
        return estimate_token_order(package.config, package.machine, choices)
    counts = [plans[block].counts.tolist() for block in sorted(plans)]
    return estimate_cycles(package.config, package.machine, counts or None)


def record_of(
    package: Package,
    device: str,
    image: str,
    prediction: Prediction,
    phases: Mapping[str, float],
) -> ResultRecord:
    """The record of one image and task.

    Args:
        package: what was executed.
        device: the device's name.
        image: where the image came from.
        prediction: what came out.
        phases: seconds by phase on this host.
    """
    cost = modelled(package, prediction.run.plans)
    return ResultRecord(
        model=package.config.name,
        task=prediction.task.name,
        device=device,
        image=image,
        digest=digest_of_outputs(prediction),
        package_digest=package.digest,
        figures={
            **_modelled_figures(package, cost),
            **_run_figures(package, device, prediction, phases),
        },
    )


def _modelled_figures(package: Package, cost: CycleReport) -> dict[str, Figure]:
    source = f"cost model of machine {package.machine.name}, encoder, this image's routing"
    values = {
        "tokens": package.config.tokens,
        "macs": cost.macs,
        "cycles": cost.total,
        "clock_mhz": cost.clock_mhz,
        "latency_ms": cost.latency_ms,
        "dram_bytes": cost.dram_total,
        "dram_bytes_by_kind": dict(cost.dram_bytes),
        "experts_used": list(cost.experts_used),
    }
    return {name: figure(name, value, Evidence.MODELLED, source) for name, value in values.items()}


def _run_figures(
    package: Package, device: str, prediction: Prediction, phases: Mapping[str, float]
) -> dict[str, Figure]:
    run = prediction.run
    figures = {
        "phases_ms": figure(
            "phases_ms",
            {name: 1e3 * seconds for name, seconds in phases.items()},
            Evidence.MEASURED,
            f"wall clock of this host running device {device}, not the accelerator's",
        )
    }
    traced = "" if run.trace is None else ", the copies of every layer included"
    for name, value in _counted(package, run).items():
        if value is not None:
            source = f"counted by device {device}{traced}"
            figures[name] = figure(name, value, run.evidence, source)
    return figures


def _counted(package: Package, run: DeviceRun) -> dict[str, Any]:
    """What the device itself counted; None where it did not."""
    plans, clock = run.plans, package.machine.clock_mhz
    return {
        "cycles": run.cycles,
        "clock_mhz": None if run.cycles is None else clock,
        "latency_ms": None if run.cycles is None else run.cycles / (1e3 * clock),
        "dram_bytes": run.dram_bytes,
        "experts_used": [plans[block].live_experts for block in sorted(plans)] or None,
        "saturations": run.saturations,
    }


def table(records: Sequence[ResultRecord]) -> str:
    """Records as text, the machine's figures first, this host's time below."""
    short = [replace(record, image=Path(record.image).name) for record in records]
    return "\n".join([render_table(short, COLUMNS), _note(records), "", _host_times(records)])


def _note(records: Sequence[ResultRecord]) -> str:
    kinds = sorted({record.figures["cycles"].evidence.value for record in records})
    if kinds == [Evidence.MODELLED.value]:
        return "(cycles, ms and DRAM bytes: the machine's encoder by the cost model, not measured)"
    return f"(cycles, ms and DRAM bytes: the machine's encoder, evidence {', '.join(kinds)})"


def _host_times(records: Sequence[ResultRecord]) -> str:
    """Median seconds of this host, by phase."""
    from statistics import median

    phases: dict[str, list[float]] = {}
    for record in records:
        for name, milliseconds in record.value("phases_ms").items():
            phases.setdefault(name, []).append(milliseconds)
    parts = [f"{name} {median(values):.1f}" for name, values in phases.items()]
    return (
        f"this host, device {records[0].device}, measured, median ms: {', '.join(parts)}\n"
        "(read, resize, pack and draw once an image, the others for each task)"
    )
