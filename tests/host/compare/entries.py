"""Entries and files for the comparison's tests."""

import json
from typing import Any

from m3vit.host.compare.entry import Entry, Value, Workload
from m3vit.hw.records import Evidence, ResultRecord, figure

WORK = Workload(model="tiny", tokens=129, macs=782_719_488)


def entry(
    machine: str = "A",
    workload: Workload = WORK,
    evidence: Evidence = Evidence.MODELLED,
    source: str = "somewhere",
    **values: Any,
) -> Entry:
    figures = values or {"latency_ms": 1.5}
    return Entry(
        workload=workload,
        machine=machine,
        values={n: Value(value=v, evidence=evidence, source=source) for n, v in figures.items()},
    )


def record(model: str = "tiny", tokens: int = 129, device: str = "cuda-int8") -> ResultRecord:
    return ResultRecord(
        model=model,
        task="depth",
        device=device,
        figures={
            "tokens": figure("tokens", tokens, Evidence.MODELLED),
            "macs": figure("macs", 782_719_488, Evidence.MODELLED),
            "latency_ms": figure("latency_ms", 0.25, Evidence.MEASURED, "events"),
            "phases_ms": figure("phases_ms", {"run": 3.0}, Evidence.MEASURED, "wall clock"),
        },
    )


def estimate(**changes: Any) -> str:
    values = {
        "model": "tiny",
        "board": "zcu104",
        "tokens": 129,
        "macs": 782_719_488,
        "clock_mhz": 300.0,
        "latency_ms": 0.95,
        "dram_bytes": 11_000_000,
        "dram_bytes_by_kind": {"experts": 8_000_000, "weights": 3_000_000},
        "experts_used": [16],
        "phases": {"qkv": {"cycles": 150_000.0}, "mlp": {"cycles": 135_000.0}},
        "resources": {
            "dsp": {"needed": 1712, "available": 1728},
            "bram36": {"needed": 282, "available": 312},
            "uram": {"needed": 93, "available": 96},
        },
        "exceeded_resources": [],
        "exceeded_limits": [],
    }
    return json.dumps({**values, **changes})
