"""Estimates of all layers beside the RTL's machine: by its cost model, and as counted in RTL."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from m3vit.hls.estimate import estimate
from m3vit.hls.from_package import layers_of
from m3vit.hls.layer import HlsLayer, Kind, Parallelism
from m3vit.hls.resources import ZCU104, resources
from m3vit.hls.rtl_profile import LAYERS, RtlProfile
from m3vit.hls.shapes import shape_layer
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.cycles import estimate_cycles
from m3vit.hw.cost.routing import balanced_counts
from m3vit.hw.formats import Int64
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.hw.package import Package
from m3vit.hw.presets import model_preset
from m3vit.hw.record_table import text_table
from m3vit.hw.records import Evidence


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer; all figures but ``rtl_cycles`` are modelled."""

    layer: str
    cycles: int
    route: int
    experts: int
    bound: str
    weight_bytes: int
    rtl_model_cycles: int
    """What hw.cost says of gate and experts, or MLP, on the RTL's machine."""
    dsp: int
    bram18: int
    uram: int
    rtl_cycles: int | None = None
    """Counted in simulation of that machine's RTL (``rtl_profile``); None without a profile."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, and the evidence of every figure that there is."""
        values = asdict(self)
        evidence = {
            name: (Evidence.RTL if name == "rtl_cycles" else Evidence.MODELLED).value
            for name, value in values.items()
            if name != "layer" and value is not None
        }
        return {**values, "evidence": evidence}


def package_rows(
    package: Package, parallelism: Parallelism, counted: RtlProfile | None = None
) -> list[Row]:
    """The layers of ``package`` on the routing of its recorded sample, first task.

    Raises:
        RtlProfileError: ``counted`` is of another package.
    """
    golden, config = package.golden(), package.config
    first = config.task_names[0]
    counts = np.array(
        [
            np.bincount(golden[f"{first}.{block}.experts"].ravel(), minlength=config.experts)
            for block in config.moe_blocks
        ],
        np.int64,
    ).reshape(-1, config.experts)
    if counted:
        counted.require(config, package.machine, package.digest)
    return _rows(config, package.machine, layers_of(package), counts, parallelism, counted)


def preset_rows(
    model: str, machine: str, parallelism: Parallelism, counted: RtlProfile | None = None
) -> list[Row]:
    """The layers of a preset with queues as equal as they can be; ``counted`` has its run's.

    Raises:
        RtlProfileError: ``counted`` is of another model or machine.
        ConfigurationError: unknown names, or shapes that the templates cannot build.
    """
    config, chosen = model_preset(model), machine_preset(machine)
    layers = [shape_layer(config, chosen, block) for block in range(config.blocks)]
    if counted:
        counted.require(config, chosen)
    return _rows(config, chosen, layers, balanced_counts(config), parallelism, counted)


def _rows(
    config: ModelConfig,
    machine: MachineConfig,
    layers: Sequence[HlsLayer],
    counts: Int64,
    parallelism: Parallelism,
    counted: RtlProfile | None,
) -> list[Row]:
    report = estimate_cycles(config, machine, counts)
    spent = {block: 0.0 for block in range(config.blocks)}
    for part in report.phases:
        if part.phase in LAYERS:
            spent[part.block] += part.cycles
    queues = dict(zip(config.moe_blocks, counts.tolist(), strict=True))
    rows = [
        _row(layer, queues.get(block), round(spent[block]), parallelism)
        for block, layer in enumerate(layers)
    ]
    if counted is None:
        return rows
    cycles = counted.cycles(config, report)
    return [replace(row, rtl_cycles=n) for row, n in zip(rows, cycles, strict=True)]


def _row(layer: HlsLayer, counts: list[int] | None, rtl: int, parallelism: Parallelism) -> Row:
    moe = layer.kind is Kind.MOE
    cycles = estimate(layer, counts if moe else None, parallelism)
    cells = resources(layer, parallelism)
    return Row(
        layer=layer.name,
        cycles=cycles.total,
        route=cycles.route,
        experts=cycles.experts,
        bound=cycles.bound,
        weight_bytes=cycles.weight_bytes,
        rtl_model_cycles=rtl,
        dsp=cells.dsp,
        bram18=cells.bram18,
        uram=cells.uram,
    )


def render(rows: Sequence[Row]) -> str:
    """The rows as text, the ZCU104's cells below; a column of counted cycles if there are any."""
    head = ("layer", "cycles", "route", "experts", "bound by", "weights B", "RTL machine")
    counted = any(row.rtl_cycles is not None for row in rows)
    more = ("RTL counted",) if counted else ()
    body = [
        (r.layer, str(r.cycles), str(r.route), str(r.experts), r.bound, str(r.weight_bytes))
        + (str(r.rtl_model_cycles), *((str(r.rtl_cycles),) if counted else ()))
        + (str(r.dsp), str(r.bram18), str(r.uram))
        for r in rows
    ]
    has = ("a ZCU104 has", *("",) * (6 + counted), *(str(count) for count in ZCU104.values()))
    right = (False, True, True, True, False, *(True,) * (5 + counted))
    table = text_table([(*head, *more, "DSP", "BRAM18", "URAM"), *body, has], right)
    said = "modelled: loops of the kernel, and hw.cost for the RTL's machine"
    if not counted:
        return f"{table}\nall figures {said}"
    return f"{table}\nRTL counted: in simulation, on that run's routing; all else {said}"
