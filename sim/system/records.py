"""Simulated runs as the result records that every machine of this project prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from m3vit.hw.records import Evidence, Figure, ResultRecord, figure
from m3vit.sim.system.offload import OffloadMachine, OffloadResult
from m3vit.sim.system.workload import Step


def task_passes(
    machine: OffloadMachine, steps: Sequence[Step], result: OffloadResult
) -> list[dict[str, Any]]:
    """One pass through the blocks, the mean over all passes of each task.

    ``macs`` are those of the experts alone; ``dram_bytes`` are weights read from the memory that
    holds all experts.  A pass ends where the block number does not rise.
    """
    shape = machine.network
    found: dict[str, dict[str, Any]] = {}
    last = -1
    for step, time, experts in zip(steps, result.block_ns, result.block_experts, strict=True):
        entry = found.setdefault(
            step.task, {"passes": 0, "ns": 0.0, "experts": 0, "tokens": 0, "used": {}}
        )
        entry["passes"] += step.block <= last or entry["passes"] == 0
        last = step.block
        entry["ns"] += time
        entry["experts"] += experts
        entry["tokens"] += sum(step.tokens)
        entry["used"].setdefault(step.block, []).append(len(step.active))
    return [
        {
            "task": task,
            "passes": entry["passes"],
            "latency_ms": entry["ns"] / entry["passes"] / 1e6,
            "tokens": round(entry["tokens"] / sum(map(len, entry["used"].values())) / shape.top_k),
            "macs": round(entry["tokens"] * shape.expert_elements / entry["passes"]),
            "dram_bytes": round(entry["experts"] * shape.expert_bytes / entry["passes"]),
            "experts_used": [round(sum(n) / len(n)) for _, n in sorted(entry["used"].items())],
        }
        for task, entry in found.items()
    ]


def decode_line(entry: Mapping[str, Any]) -> ResultRecord:
    """The record of one decoding step (``presets.decode_record``)."""
    scope = (
        f"one step of {entry['devices']} devices; {entry['scope']}, context {entry['context']:g}"
    )
    return ResultRecord(
        model=entry["workload"],
        task="decode",
        device=_device(entry["machine"], entry["near_unit"]),
        figures=_figures(
            scope,
            tokens=entry["batch"],
            macs=entry["macs"],
            latency_ms=entry["step_ms"],
            dram_bytes=entry["dram_bytes"],
            experts_used=entry["experts_used"],
            energy_mj=sum(entry["energy_mj"].values()),
            phases_ms=entry["times_ms"],
        ),
    )


def offload_lines(entry: Mapping[str, Any]) -> list[ResultRecord]:
    """One record for each task of a run under a loading policy (``presets.offload_record``)."""
    busy = {name: time / entry["total_ms"] for name, time in entry["busy_ms"].items()}
    return [
        ResultRecord(
            model=entry["workload"],
            task=passes["task"] or "any",
            device=_device(f"{entry['machine']} {entry['policy']}", entry["near_unit"]),
            figures=_figures(
                f"mean of {passes['passes']} passes; routing {entry['routing']}, {entry['slots']} "
                f"experts kept, {entry['dense_us']:.1f} us a block beside its experts; work and "
                f"bytes of the experts alone; rates: {entry['rates']}",
                tokens=passes["tokens"],
                macs=passes["macs"],
                latency_ms=passes["latency_ms"],
                dram_bytes=passes["dram_bytes"],
                experts_used=passes["experts_used"],
                utilisation=busy,
            ),
        )
        for passes in entry["by_task"]
    ]


def _device(name: str, near_unit: str | None) -> str:
    return f"{name} (near memory: {near_unit})" if near_unit else name


def _figures(source: str, **values: Any) -> dict[str, Figure]:
    return {name: figure(name, value, Evidence.SIMULATED, source) for name, value in values.items()}
