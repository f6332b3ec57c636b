"""HLS kernels as the result records that every machine of this project prints."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from m3vit.hls.estimate_table import Row
from m3vit.hls.layer import Kind, Parallelism
from m3vit.hls.resources import ZCU104
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.macs import Layer, encoder_costs
from m3vit.hw.machine import MachineConfig
from m3vit.hw.records import Evidence, Figure, ResultRecord, figure

RTL_SOURCE = (
    "m3vit hls estimate --records --rtl: waits and experts as a profile of the RTL counts them, on "
    "that run's routing; gate and MLP by their passes"
)

COVERED = (Layer.MLP, Layer.GATE, Layer.EXPERTS)
"""Layers that kernels compute; attention is not among them."""

BRAM18_BYTES, URAM_BYTES = 2304, 36864
"""Bytes of one memory block, parity included."""


def kernel_macs(kind: Kind, constants: Mapping[str, int]) -> int:
    """Multiply-accumulates of one call of a kernel, padding not counted, as hw.cost counts them.

    Args:
        kind: what the kernel computes.
        constants: of its project: tokens, width, hidden, experts (an MLP's chunks), top_k.
    """
    rows, width, experts = constants["tokens"], constants["width"], constants["experts"]
    gate = rows * width * experts
    if kind is Kind.GATE:
        return gate
    both = 2 * rows * width * constants["hidden"]
    return both * experts if kind is Kind.MLP else both * constants["top_k"] + gate


def covered_macs(config: ModelConfig) -> int:
    """Multiply-accumulates of all layers that kernels compute."""
    return sum(cost.macs for cost in encoder_costs(config) if cost.layer in COVERED)


def estimate_records(
    config: ModelConfig,
    machine: MachineConfig,
    rows: Sequence[Row],
    parallelism: Parallelism,
    digest: str = "",
) -> list[ResultRecord]:
    """What the kernels, one call after the other, and the RTL's machine need for the same layers.

    Both are modelled, at the machine's clock: Vitis HLS has scheduled nothing here.  A third record
    holds what was counted in simulation of the RTL, where ``rows`` have it.

    Args:
        digest: of the package that the RTL ran, if it did.
    """
    made = "m3vit hls estimate --records"
    kernels = (
        f"{made}, loops of the kernels with unroll {parallelism.unroll}, lanes {parallelism.lanes}"
    )
    ours = f"{made}, hw.cost of machine {machine.name} for these layers"
    most = {name: max(getattr(row, name) for row in rows) for name in ("dsp", "bram18", "uram")}
    memory = BRAM18_BYTES * most["bram18"] + URAM_BYTES * most["uram"]
    beyond = ", ".join(name for name, count in ZCU104.items() if most[name] > count)
    device = f"HLS kernels, DO NOT FIT ({beyond})" if beyond else "HLS kernels"
    records = [
        _record(config, machine, device, sum(r.cycles for r in rows), kernels, memory),
        _record(
            config,
            machine,
            f"{machine.name} cost model",
            sum(r.rtl_model_cycles for r in rows),
            ours,
        ),
    ]
    counted = [row.rtl_cycles for row in rows if row.rtl_cycles is not None]
    return [*records, _rtl_record(config, machine, sum(counted), digest)] if counted else records


def _rtl_record(
    config: ModelConfig, machine: MachineConfig, cycles: int, digest: str
) -> ResultRecord:
    """As :func:`_record`, but cycles and latency counted, at the clock that the machine aims at."""
    base = _record(config, machine, f"{machine.name} RTL", cycles, RTL_SOURCE)
    counted = {
        name: figure(name, base.value(name), Evidence.RTL, RTL_SOURCE)
        for name in ("cycles", "latency_ms")
    }
    return replace(base, package_digest=digest, figures={**base.figures, **counted})


def _record(
    config: ModelConfig,
    machine: MachineConfig,
    device: str,
    cycles: int,
    source: str,
    memory: int | None = None,
) -> ResultRecord:
    values: dict[str, int | float | None] = {
        "tokens": config.tokens,
        "macs": covered_macs(config),
        "cycles": cycles,
        "clock_mhz": machine.clock_mhz,
        "latency_ms": cycles / machine.clock_mhz / 1e3,
        "memory_bytes": memory,
    }
    figures: dict[str, Figure] = {
        name: figure(name, value, Evidence.MODELLED, source)
        for name, value in values.items()
        if value is not None
    }
    return ResultRecord(
        model=f"{config.name}, MLPs and experts", task="any", device=device, figures=figures
    )
