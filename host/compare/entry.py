"""One machine's figures for one workload, from a record of ours or from a publication."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.presets import MODELS
from m3vit.hw.records import Evidence, ResultRecord


@dataclass(frozen=True, kw_only=True)
class Value:
    """One figure with its evidence and source."""

    value: Any
    evidence: Evidence
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What was computed for one image: only equal ones share a row.

    ``tokens`` or ``macs`` None: not stated, which equals nothing, not even itself.
    """

    model: str
    tokens: int | None
    macs: int | None

    def differs(self, other: "Workload") -> str | None:
        """Why the two cannot share a row, None if they can."""
        for name in ("model", "tokens", "macs"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is None or theirs is None:
                return f"{name} not stated"
            if mine != theirs:
                return f"{name} {mine} and {theirs}"
        return None

    def text(self) -> str:
        """Model, tokens and work in words."""
        if self.tokens is None or self.macs is None:
            return self.model
        return f"{self.model}, {self.tokens} tokens, {self.macs / 1e9:.3f} GMAC"


FIGURES = (
    "latency_ms",
    "energy_mj",
    "memory_bytes",
    "dram_bytes",
    "dram_bytes_by_kind",
    "phases_ms",
    "host_ms",
    "experts_used",
)
"""What is compared.  ``host_ms`` is the time of the computer that ran a reference or simulator,
which says nothing of the machine that it stands for."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the comparison."""

    workload: Workload
    machine: str
    task: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)

    def number(self, name: str) -> float | None:
        """The figure's value, None if there is none."""
        value = self.values.get(name)
        return None if value is None else float(value.value)


_BLOCK_BYTES = {"bram36": 4608, "uram": 36864}
"""Bytes of one memory block on chip, parity included."""

_MACHINES = {
    "reference": "ours, integer reference",
    "rtl": "ours, RTL in simulation",
    "cost model": "ours, cost model of the same package",
    "zcu104 cost model": "ours, zcu104 cost model",
    "zcu104 RTL": "ours, zcu104 RTL in simulation",
    "zcu104 speculative": "ours, zcu104, next block's experts fetched ahead",
    "HLS kernels": "ours, HLS kernels, not synthesised",
    "a100-offload on-demand": "A100, experts over PCIe on demand",
    "monde monde (near memory: monde)": "A100, MoNDE's near memory holds the experts",
}
"""Devices whose name alone would say too little in a table."""


_NO_TASK = ("any", "task0")
"""Tasks of records that stand for every task, or for generated routing without tasks."""


def entry_of_record(record: ResultRecord) -> Entry:
    """A record's figures; the host's time is the measured phase ``run`` of a device."""
    values = {
        name: Value(value=entry.value, evidence=entry.evidence, source=entry.source)
        for name, entry in record.figures.items()
        if name in FIGURES
    }
    phases = record.figures.get("phases_ms")
    if phases is not None and "run" in phases.value:
        values.pop("phases_ms")
        values["host_ms"] = Value(
            value=phases.value["run"], evidence=phases.evidence, source=phases.source
        )
    return Entry(
        workload=_workload(record),
        machine=_MACHINES.get(record.device, record.device),
        task="" if record.task in _NO_TASK else record.task,
        values=values,
    )


def _workload(record: ResultRecord) -> Workload:
    """What the record states; a preset's name alone says tokens and encoder MACs as well."""
    tokens, macs = record.value("tokens"), record.value("macs")
    preset = MODELS.get(record.model)
    if preset is not None and tokens in (None, preset.tokens):
        tokens = preset.tokens
        macs = encoder_macs(preset) if macs is None else macs
    return Workload(model=record.model, tokens=tokens, macs=macs)


def entry_of_estimate(values: Mapping[str, Any]) -> Entry:
    """What ``m3vit estimate --json`` prints: everything modelled."""
    source = f"m3vit estimate --board {values['board']}, with --model as the row says"
    clock_khz = float(values["clock_mhz"]) * 1e3
    figures = {
        "latency_ms": values["latency_ms"],
        "dram_bytes": values["dram_bytes"],
        "dram_bytes_by_kind": values["dram_bytes_by_kind"],
        "experts_used": values["experts_used"],
        "phases_ms": {n: part["cycles"] / clock_khz for n, part in values["phases"].items()},
        "memory_bytes": sum(
            _BLOCK_BYTES[name] * part["needed"]
            for name, part in values["resources"].items()
            if name in _BLOCK_BYTES
        ),
    }
    exceeded = [*values["exceeded_resources"], *values["exceeded_limits"]]
    unfit = f", DOES NOT FIT ({'; '.join(exceeded)})" if exceeded else ""
    return Entry(
        workload=Workload(
            model=values["model"], tokens=int(values["tokens"]), macs=int(values["macs"])
        ),
        machine=f"ours, {values['board']}, {values['clock_mhz']:g} MHz, INT8{unfit}",
        values={
            name: Value(value=value, evidence=Evidence.MODELLED, source=source)
            for name, value in figures.items()
        },
    )
