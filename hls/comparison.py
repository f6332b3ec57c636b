"""The paper's comparison: experts reordered against not reordered, each figure with its evidence.

The paper: Liang et al., "M3ViT", NeurIPS 2022, table 4, Small on PASCAL-Context, ZCU104 at 300 MHz
and 10 W.  Ours: ``m3vit.hw.cost`` for the RTL's machine and ``m3vit.hls.estimate`` for the kernel,
on one recorded routing of one image.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m3vit.hls.estimate import estimate
from m3vit.hls.layer import Parallelism
from m3vit.hls.resources import resources
from m3vit.hls.shapes import shape_layer
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.reordering import Choices, ExpertTraffic, compare_reordering
from m3vit.hw.cost.stores import stores
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.sizes import expert_bytes
from m3vit.hw.machine import MachineConfig
from m3vit.hw.records import Evidence
from m3vit.hw.routing import RoutingPlan
from m3vit.hw.routing_trace import load_trace

TRACES = Path(__file__).parent / "traces"
KERNEL = Parallelism(unroll=2)
"""384 products a cycle in either layer of an expert: the largest that fits a ZCU104."""
PAPER_WATTS = 10.0
MIB = 1 << 20
NONE = "-"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure: resident experts, token by token through a cache, reordered; then the paper's."""

    name: str
    unit: str
    ours: tuple[str, str, str]
    evidence: Evidence
    paper: tuple[str, str, str] = (NONE, NONE, NONE)


PAPER_MEMORY = ("11.610", "4.840", "4.840")
PAPER_LATENCY = (NONE, "637.478", "69.033")
PAPER_ENERGY = (NONE, "6375", "690")
PAPER_RATIO = (NONE, "1", "9.23")


def trace_of(config: ModelConfig, path: Path) -> Choices:
    """[blocks, T, K] experts of the first image and task in the trace at ``path``.

    Raises:
        PackageError: it is no routing trace.
        ConfigurationError: it is of another model.
    """
    plans: dict[int, RoutingPlan] = {}
    for entry in load_trace(path):
        plans.setdefault(entry.block, entry.plan)
    if tuple(sorted(plans)) != config.moe_blocks:
        raise ConfigurationError(
            f"trace {path} has blocks {sorted(plans)}, {config.name} expects "
            f"{list(config.moe_blocks)}; record it with that model"
        )
    return np.stack([plans[block].per_token()[0] for block in config.moe_blocks])


def rows(config: ModelConfig, machine: MachineConfig, choices: Choices) -> list[Row]:
    """The table of ``config`` on ``machine`` for one image.

    Raises:
        ConfigurationError: the model has no experts or the trace another shape.
    """
    both = compare_reordering(config, machine, choices)
    return [
        *_memory(config, machine, both.token_by_token, both.reordered),
        *_traffic(config, machine, both.token_by_token, both.reordered),
        *_time(machine, both.token_by_token, both.reordered),
        _kernel(config, machine, choices),
    ]


def _mib(size: float) -> str:
    return f"{size / MIB:.3f}"


def _memory(
    config: ModelConfig, machine: MachineConfig, cached: ExpertTraffic, queued: ExpertTraffic
) -> list[Row]:
    resident = config.experts * expert_bytes(machine, config.width, config.expert_hidden)
    bits = sum(store.copies * store.width * store.depth for store in stores(machine))
    elsewhere = bits / 8 - machine.ring_bytes
    sizes = (resident, cached.memory_bytes, queued.memory_bytes)
    buffer = resources(shape_layer(config, machine, config.moe_blocks[0]), KERNEL).expert_bytes
    return [
        Row(
            name="on chip for expert weights (RTL's machine)",
            unit="MiB",
            ours=(_mib(sizes[0]), _mib(sizes[1]), _mib(sizes[2])),
            evidence=Evidence.MODELLED,
        ),
        Row(
            name="on chip for expert weights (HLS kernel)",
            unit="MiB",
            ours=(NONE, NONE, _mib(buffer)),
            evidence=Evidence.MODELLED,
        ),
        Row(
            name="on-chip memory in all",
            unit="MiB",
            ours=(
                _mib(elsewhere + sizes[0]),
                _mib(elsewhere + sizes[1]),
                _mib(elsewhere + sizes[2]),
            ),
            evidence=Evidence.MODELLED,
            paper=PAPER_MEMORY,
        ),
    ]


def _traffic(
    config: ModelConfig, machine: MachineConfig, cached: ExpertTraffic, queued: ExpertTraffic
) -> list[Row]:
    every = config.experts * len(config.moe_blocks)
    size = expert_bytes(machine, config.width, config.expert_hidden)
    rest = queued.total_dram_bytes - queued.dram_bytes

    def row(name: str, unit: str, values: tuple[float, float, float], digits: int) -> Row:
        a, b, c = (f"{value:.{digits}f}" for value in values)
        return Row(name=name, unit=unit, ours=(a, b, c), evidence=Evidence.MODELLED)

    moved = (every * size, cached.dram_bytes, queued.dram_bytes)
    return [
        row("experts fetched", "experts", (every, cached.fetches, queued.fetches), 0),
        row("DRAM, expert weights", "MB", (moved[0] / 1e6, moved[1] / 1e6, moved[2] / 1e6), 2),
        row(
            "DRAM, everything",
            "MB",
            ((rest + moved[0]) / 1e6, cached.total_dram_bytes / 1e6, queued.total_dram_bytes / 1e6),
            2,
        ),
    ]


def _time(machine: MachineConfig, cached: ExpertTraffic, queued: ExpertTraffic) -> list[Row]:
    cycles = cached.total_cycles, queued.total_cycles
    slow, fast = (count / machine.clock_mhz / 1e3 for count in cycles)

    def row(
        name: str, unit: str, values: tuple[float, float], digits: int, paper: tuple[str, str, str]
    ) -> Row:
        a, b = (f"{value:.{digits}f}" for value in values)
        return Row(name=name, unit=unit, ours=(NONE, a, b), evidence=Evidence.MODELLED, paper=paper)

    experts = (cached.expert_cycles / 1e6, queued.expert_cycles / 1e6)
    nothing = (NONE, NONE, NONE)
    return [
        row("cycles, expert layers", "M", experts, 3, nothing),
        row("cycles, encoder", "M", (cycles[0] / 1e6, cycles[1] / 1e6), 3, nothing),
        row(f"latency at {machine.clock_mhz:g} MHz", "ms", (slow, fast), 3, PAPER_LATENCY),
        row(
            "energy at the paper's 10 W",
            "mJ",
            (slow * PAPER_WATTS, fast * PAPER_WATTS),
            0,
            PAPER_ENERGY,
        ),
        row("speed against the cache", "x", (1.0, slow / fast), 2, PAPER_RATIO),
    ]


def _kernel(config: ModelConfig, machine: MachineConfig, choices: Choices) -> Row:
    """Expert layers alone on the HLS kernel: the experts of all blocks, without their routing."""
    total = 0
    for block, chosen in zip(config.moe_blocks, choices, strict=True):
        counts = np.bincount(chosen.ravel(), minlength=config.experts).tolist()
        total += estimate(shape_layer(config, machine, block), counts, KERNEL).experts
    return Row(
        name=f"cycles, expert layers (HLS kernel, unroll {KERNEL.unroll})",
        unit="M",
        ours=(NONE, NONE, f"{total / 1e6:.3f}"),
        evidence=Evidence.MODELLED,
    )


def markdown(table: list[Row]) -> str:
    """The rows as a Markdown table."""
    header = (
        "| one image, one task | unit | all resident | token by token, cached | reordered "
        "| evidence | paper: resident | paper: cache | paper: reordered |"
    )
    rule = "|---|---|---:|---:|---:|---|---:|---:|---:|"
    body = [
        f"| {row.name} | {row.unit} | {' | '.join(row.ours)} | {row.evidence.value} "
        f"| {' | '.join(row.paper)} |"
        for row in table
    ]
    return "\n".join([header, rule, *body])
