"""What computation reordering saves: the same layers with experts fetched token by token.

Without reordering tokens are processed in order, each with its K experts in ascending order, and
the weight ring is a cache of whole experts: the oldest one gives way, and the next one loads while
this one computes (Liang et al., "M3ViT", NeurIPS 2022, section 3.3, compares with this; the
machine's token order, ``m3vit.rtl.token_order``, does exactly this).  Attention and dense layers
are the same on both sides.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.assumptions import Assumptions
from m3vit.hw.cost.cycles import estimate_cycles
from m3vit.hw.cost.engine import bytes_per_cycle
from m3vit.hw.cost.report import CycleReport, PhaseCycles
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.sizes import aligned, expert_bytes, linear_bytes
from m3vit.hw.machine import MachineConfig

CACHE_LIMIT = 15
"""Most experts that the machine keeps without reordering: it has a table of their numbers."""

Choices = NDArray[np.integer[Any]]
"""[blocks of experts, tokens, K]: experts of every token."""


@dataclass(frozen=True, kw_only=True)
class ExpertTraffic:
    """The expert layers of one image, one way of doing them."""

    fetches: int
    """Experts fetched, over all blocks."""
    dram_bytes: int
    """Expert weights moved."""
    total_dram_bytes: int
    """All bytes of the image."""
    expert_cycles: int
    total_cycles: int
    memory_bytes: int
    """On-chip memory for expert weights: the ring, either way."""


@dataclass(frozen=True, kw_only=True)
class ReorderingComparison:
    """Both ways, on the same routing."""

    reordered: ExpertTraffic
    token_by_token: ExpertTraffic


def random_choices(config: ModelConfig, seed: int = 0) -> Choices:
    """Every set of K experts equally likely for every token: the routing assumed without a trace.

    Sorted ascending within a token.
    """
    shape = (len(config.moe_blocks), config.tokens, config.experts)
    order = np.random.default_rng(seed).random(shape).argsort(-1)
    return np.sort(order[..., : config.top_k], axis=-1)


def cached_experts(config: ModelConfig, machine: MachineConfig) -> int:
    """Whole experts that the weight ring keeps; 0 where one is larger than the ring."""
    return min(CACHE_LIMIT, machine.ring_bytes // _streamed(config, machine))


def _streamed(config: ModelConfig, machine: MachineConfig) -> int:
    """Bytes of an expert as it is read."""
    size = expert_bytes(machine, config.width, config.expert_hidden)
    return aligned(size, machine.stream_unit)


def cache_misses(experts: Iterable[int], capacity: int) -> Iterator[bool]:
    """For each use of an expert in order, whether it must be fetched.

    The cache is empty at first; the expert that was fetched first gives way to the next.
    """
    cached: deque[int] = deque(maxlen=capacity)
    for expert in experts:
        missed = expert not in cached
        if missed:
            cached.append(expert)
        yield missed


def uses_of(layer: Choices) -> list[int]:
    """Experts of one block [T, K] as they are used: token by token, ascending within a token."""
    uses: list[int] = np.sort(layer, axis=-1).ravel().tolist()
    return uses


def _use(config: ModelConfig, machine: MachineConfig, assumptions: Assumptions) -> tuple[int, int]:
    """Passes and cycles of one token over one expert: a pass takes as long as its tile's load.

    The second layer's last tiles wait for the first layer's last result.
    """
    passes, words = 0, 0
    for inner, outputs in (
        (config.width, config.expert_hidden),
        (config.expert_hidden, config.width),
    ):
        passes += -(-inner // machine.rows) * -(-outputs // machine.panel)
        words += linear_bytes(machine, inner, outputs) // machine.word_bytes
    return passes, words + assumptions.result_latency


def _layer_cycles(misses: list[bool], load: float, latency: float, compute: float) -> float:
    """A load may begin when the use before the last has ended (two lists), one at a time."""
    channel, ended, before = 0.0, 0.0, 0.0
    for missed in misses:
        arrival = before
        if missed:
            channel = max(channel, before + latency) + load
            arrival = channel
        before, ended = ended, max(ended, arrival) + compute
    return ended


def _counts(config: ModelConfig, choices: Choices) -> NDArray[np.int64]:
    rows = [np.bincount(layer.ravel(), minlength=config.experts) for layer in choices]
    return np.array(rows, np.int64)


def _checked(config: ModelConfig, choices: Choices | None) -> Choices:
    if not config.moe_blocks:
        raise ConfigurationError(f"{config.name} has no experts, so there is nothing to reorder")
    routed = random_choices(config) if choices is None else choices
    expected = (len(config.moe_blocks), config.tokens, config.top_k)
    if routed.shape != expected:
        raise ConfigurationError(f"choices have the shape {routed.shape}, expected {expected}")
    return routed


def fetches(config: ModelConfig, machine: MachineConfig, choices: Choices) -> int:
    """Experts fetched token by token, over all blocks."""
    capacity = cached_experts(config, machine)
    return sum(sum(cache_misses(uses_of(layer), capacity)) for layer in choices)


def estimate_token_order(
    config: ModelConfig,
    machine: MachineConfig,
    choices: Choices | None = None,
    assumptions: Assumptions | None = None,
) -> CycleReport:
    """As :func:`estimate_cycles`, with experts token by token, on ``choices`` or random routing.

    Raises:
        ConfigurationError: the model has no experts, or the choices have another shape.
    """
    routed, assumed = _checked(config, choices), assumptions or Assumptions()
    report = estimate_cycles(config, machine, _counts(config, routed), assumed)
    load = _streamed(config, machine) / bytes_per_cycle(machine)
    capacity = cached_experts(config, machine)
    passes, compute = _use(config, machine, assumed)
    layers = iter(routed)
    phases = []
    for part in report.phases:
        if part.phase == "experts":
            uses = uses_of(next(layers))
            misses = list(cache_misses(uses, capacity))
            cycles = _layer_cycles(misses, load, assumed.dram_latency, compute)
            part = replace(part, cycles=cycles, busy=passes * len(uses))
        phases.append(part)
    return _replaced(report, phases, fetches(config, machine, routed) * _streamed(config, machine))


def _replaced(report: CycleReport, phases: list[PhaseCycles], expert_bytes: int) -> CycleReport:
    """The report with other experts; what their array waits for is mostly their weights."""
    experts = report.by_phase()["experts"]
    cycles, busy = (
        sum(getattr(part, name) for part in phases if part.phase == "experts")
        for name in ("cycles", "busy")
    )
    waits = (cycles - busy) - (experts.cycles - experts.busy)
    return replace(
        report,
        total=math.ceil(sum(part.cycles for part in phases)),
        busy=report.busy - experts.busy + busy,
        lost={**report.lost, "weights": report.lost["weights"] + waits},
        phases=tuple(phases),
        dram_bytes={**report.dram_bytes, "experts": expert_bytes},
        wasted_bytes=0,
    )


def _traffic(report: CycleReport, fetched: int, machine: MachineConfig) -> ExpertTraffic:
    return ExpertTraffic(
        fetches=fetched,
        dram_bytes=report.dram_bytes["experts"],
        total_dram_bytes=report.dram_total,
        expert_cycles=round(report.by_phase()["experts"].cycles),
        total_cycles=report.total,
        memory_bytes=machine.ring_bytes,
    )


def compare_reordering(
    config: ModelConfig,
    machine: MachineConfig,
    choices: Choices | None = None,
    assumptions: Assumptions | None = None,
) -> ReorderingComparison:
    """Experts expert by expert against token by token, on ``choices`` or on random routing.

    Raises:
        ConfigurationError: the model has no experts, or the choices have another shape.
    """
    routed = _checked(config, choices)
    ordered = estimate_cycles(config, machine, _counts(config, routed), assumptions)
    tokens = estimate_token_order(config, machine, routed, assumptions)
    return ReorderingComparison(
        reordered=_traffic(ordered, sum(ordered.experts_used), machine),
        token_by_token=_traffic(tokens, fetches(config, machine, routed), machine),
    )
