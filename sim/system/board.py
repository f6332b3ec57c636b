"""This project's accelerator as a processor: numbers from its cost model, corrected by a record.

The cost model says how many cycles the array works on experts and how many it loses to each of them
with memory out of the way (the loads are simulated here); all other phases of a block are its time
beside the experts.  A record of the RTL or of silicon for the same network scales both: by its
phases where it has them, else by its whole latency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from m3vit.hw.cost.assumptions import Assumptions
from m3vit.hw.cost.cycles import estimate_cycles
from m3vit.hw.cost.report import CycleReport
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset
from m3vit.hw.records import Evidence, RecordError, ResultRecord

MODELS: Mapping[str, str] = MappingProxyType(
    {"m3vit-nano": "nano-scenes", "m3vit-small": "small-224"}
)
"""Presets of the network shapes that this project simulates."""

_COUNTED = (Evidence.RTL, Evidence.MEASURED)
_OUTSIDE = ("start", "embedding", "result")
_NO_WAITING_GBPS = 1e6


@dataclass(frozen=True, kw_only=True)
class BoardNumbers:
    """Effective rates of the accelerator on one model; ``dense_ns`` is a block of experts' share of
    everything else between embedding and result."""

    peak_gflops: float
    memory_gbps: float
    start_ns: float
    link_gbps: float
    link_latency_ns: float
    dense_ns: float
    experts_ns: float
    latency_ns: float
    tokens: int
    model: str
    source: str

    def rates(self) -> dict[str, Any]:
        """What a processor table holds of these."""
        names = ("peak_gflops", "memory_gbps", "start_ns", "link_gbps", "link_latency_ns")
        return {name: getattr(self, name) for name in names}


def _outside_experts(report: CycleReport) -> float:
    return sum(
        part.cycles
        for name, part in report.by_phase().items()
        if name not in (*_OUTSIDE, "experts")
    )


@cache
def cost_numbers(machine: str, model: str) -> BoardNumbers:
    """Numbers of a machine preset on a model preset, from the cost model.

    Raises:
        ConfigurationError: an unknown preset, or a model without experts.
    """
    built, config = machine_preset(machine), model_preset(model)
    if not config.moe_blocks:
        raise ConfigurationError(f"model {model!r} has no experts to simulate")
    real = estimate_cycles(config, built)
    free = estimate_cycles(config, replace(built, memory_gbytes_per_s=_NO_WAITING_GBPS))
    experts = free.by_phase()["experts"]
    macs = 2 * config.width * config.expert_hidden * config.tokens * config.top_k
    operations = 2.0 * macs * len(config.moe_blocks)
    cycle_ns = 1000 / built.clock_mhz
    return BoardNumbers(
        peak_gflops=operations / (experts.busy * cycle_ns),
        memory_gbps=built.multipliers / cycle_ns,
        start_ns=(experts.cycles - experts.busy) * cycle_ns / sum(free.experts_used),
        link_gbps=built.memory_gbytes_per_s,
        link_latency_ns=Assumptions().dram_latency * cycle_ns,
        dense_ns=_outside_experts(real) * cycle_ns / len(config.moe_blocks),
        experts_ns=real.by_phase()["experts"].cycles * cycle_ns,
        latency_ns=real.total * cycle_ns,
        tokens=config.tokens,
        model=model,
        source=f"cost model of {machine} on {model}",
    )


def recorded_numbers(numbers: BoardNumbers, records: Path) -> BoardNumbers:
    """``numbers`` scaled to the first record of their model in a file of records, one a line.

    What `m3vit run` prints for a device that counts cycles is such a record.

    Raises:
        ConfigurationError: the file cannot be read, or has no such record that was counted.
    """
    found = _find(records, numbers.model)
    latency = 1e6 * float(found.value("latency_ms"))
    phases = found.value("phases_ms") or {}
    whole = latency / numbers.latency_ns
    experts = dense = whole
    if "experts" in phases:
        experts = 1e6 * phases["experts"] / numbers.experts_ns
        outside = numbers.latency_ns - numbers.experts_ns
        dense = (latency - 1e6 * phases["experts"]) / outside
    kind = found.figures["latency_ms"].evidence.value
    return replace(
        numbers,
        peak_gflops=numbers.peak_gflops / experts,
        start_ns=numbers.start_ns * experts,
        dense_ns=numbers.dense_ns * dense,
        source=f"{numbers.source}, scaled to a record of {found.device} ({kind}): experts "
        f"x {experts:.3f}, the rest x {dense:.3f}",
    )


def _find(records: Path, model: str) -> ResultRecord:
    try:
        lines = [line for line in records.read_text().splitlines() if line.strip()]
        found = [ResultRecord.from_json(line) for line in lines]
    except (OSError, UnicodeDecodeError, RecordError) as error:
        raise ConfigurationError(f"records {records} cannot be read: {error}") from error
    for record in found:
        latency = record.figures.get("latency_ms")
        if record.model == model and latency and latency.value and latency.evidence in _COUNTED:
            return record
    names = ", ".join(sorted({record.model for record in found})) or "nothing"
    raise ConfigurationError(
        f"{records} has no record of {model!r} whose latency was counted in RTL or measured; it "
        f"has records of {names}"
    )
