"""HLS kernels as the result records that every machine of this project prints."""

from collections.abc import Mapping, Sequence

from m3vit.hls.estimate_table import Row
from m3vit.hls.layer import Kind, Parallelism
from m3vit.hls.resources import ZCU104
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.macs import Layer, encoder_costs
from m3vit.hw.machine import MachineConfig
from m3vit.hw.records import Evidence, Figure, ResultRecord, figure

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
) -> list[ResultRecord]:
    """What the kernels, one call after the other, and the RTL's machine need for the same layers.

    Both are modelled, at the machine's clock: Vitis HLS has scheduled nothing here.
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
    return [
        _record(config, machine, device, sum(r.cycles for r in rows), kernels, memory),
        _record(
            config,
            machine,
            f"{machine.name} cost model",
            sum(r.rtl_model_cycles for r in rows),
            ours,
        ),
    ]


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
