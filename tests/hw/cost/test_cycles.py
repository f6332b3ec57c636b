import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost import CycleReport, estimate_cycles
from m3vit.hw.cost.assumptions import Assumptions
from m3vit.hw.cost.cycles import command_count
from m3vit.hw.cost.embedding import image_shares
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.sizes import aligned, expert_bytes, gate_bytes, linear_bytes
from m3vit.hw.machine import MACHINES, MachineConfig, machine_preset
from m3vit.hw.presets import model_preset
from tests.support.random_models import random_model

ZCU104 = machine_preset("zcu104")


def _consistent(report: CycleReport) -> None:
    assert report.total == pytest.approx(report.busy + sum(report.lost.values()), abs=1.01)
    assert report.total == pytest.approx(sum(p.cycles for p in report.phases), abs=1.01)
    assert report.busy == sum(part.busy for part in report.phases)
    assert min(report.lost.values()) >= 0
    assert report.padding > -report.busy * 0.02
    assert report.total >= report.dram_total / report.bytes_per_cycle


def _total(preset: str, machine: MachineConfig = ZCU104, **changes: int) -> int:
    config = model_preset(preset)
    return estimate_cycles(config, machine, assumptions=Assumptions(**changes)).total


def test_a_third_of_the_bandwidth_leaves_only_the_stream() -> None:
    slow = replace(ZCU104, memory_gbytes_per_s=4.8)
    report = estimate_cycles(model_preset("tiny-cityscapes-k2"), slow)
    assert report.utilisation()["dram"] > 0.96
    assert _total("small-pascal", slow) < 1.01 * _total("small-pascal")


@pytest.mark.parametrize(
    ("machine", "changes", "small", "tiny"),
    [
        ({"ring_bytes": 24 * 4096}, {}, (1.0, 1.005), (1.1, 1.2)),
        ({"score_words": 512}, {}, (1.04, 1.06), (0.99, 1.01)),
        ({}, {"pass_gap_cycles": 1}, (1.02, 1.03), (1.01, 1.03)),
        ({}, {"speculate": 0}, (1.0, 1.001), (1.15, 1.2)),
    ],
)
def test_what_each_choice_is_worth(
    machine: dict[str, int],
    changes: dict[str, int],
    small: tuple[float, float],
    tiny: tuple[float, float],
) -> None:
    changed = replace(ZCU104, **machine)
    for preset, (least, most) in (("small-pascal", small), ("tiny-cityscapes-k2", tiny)):
        assert least <= _total(preset, changed, **changes) / _total(preset) <= most


CONFIGS = st.builds(
    ModelConfig,
    name=st.just("any"),
    image_height=st.integers(1, 7).map(lambda n: 16 * n),
    image_width=st.integers(1, 7).map(lambda n: 16 * n),
    width=st.just(96),
    heads=st.sampled_from([1, 2, 3, 6]),
    tasks=st.just(model_preset("nano-scenes").tasks),
    blocks=st.integers(1, 4),
    mlp_ratio=st.integers(1, 4),
    moe=st.booleans(),
    experts=st.sampled_from([1, 2, 7, 30, 256]),
    top_k=st.just(1),
    expert_ratio=st.integers(1, 3),
    head_width=st.just(16),
)
MACHINE_SHAPES = st.builds(
    MachineConfig,
    name=st.just("any"),
    groups=st.integers(1, 4),
    rows=st.sampled_from([8, 16, 32]),
    columns=st.sampled_from([8, 16, 32]),
    exponential_lanes=st.sampled_from([48, 192]),
    requantise_lanes=st.sampled_from([24, 96]),
    combine_lanes=st.sampled_from([8, 24]),
)


@settings(max_examples=60, deadline=None)
@given(CONFIGS, MACHINE_SHAPES)
def test_any_network_on_any_array_accounts_for_every_cycle(
    config: ModelConfig, machine: MachineConfig
) -> None:
    report = estimate_cycles(config, machine)
    _consistent(report)
    assert report.experts_used == tuple(
        min(config.experts, config.tokens * config.top_k) for _ in config.moe_blocks
    )


SMALL_STORE = replace(machine_preset("mini"), name="small-store", activation_bytes=50 * 768)


@pytest.mark.parametrize("machine", [*MACHINES.values(), SMALL_STORE], ids=lambda m: m.name)
@pytest.mark.parametrize("heads", [3, 2])
def test_bytes_are_those_of_the_compiled_package(machine: MachineConfig, heads: int) -> None:
    config = replace(model_preset("nano-cityscapes"), heads=heads, blocks=2)
    program = emit_program(random_model(config, seed=0), machine)
    placed: dict[str, int] = {}
    for region in program.memory.regions:
        unit = 1 if region.kind == "position" else machine.stream_unit
        placed[region.kind] = placed.get(region.kind, 0) + aligned(region.size, unit)
    moved = estimate_cycles(config, machine).dram_bytes
    assert command_count(config, machine) == len(program.commands)
    assert moved["commands"] == 32 * len(program.commands)
    again = (len(image_shares(config, machine)) - 1) * linear_bytes(machine, 768, config.width)
    assert again == 0 or machine is SMALL_STORE
    assert moved["weights"] == placed["dense"] + again
    assert moved["experts"] == placed["experts"]
    assert moved["tables"] == placed["tables"]
    assert moved["position"] == placed["position"]
    assert moved["gates"] == gate_bytes(machine, config.width, config.experts)
    assert moved["image"] == config.image_height * config.image_width * 3
    assert moved["result"] == 2 * config.tokens * config.width


def test_empty_experts_are_not_fetched() -> None:
    config = model_preset("tiny-cityscapes-k2")
    counts = np.zeros((6, 16), np.int64)
    counts[:, :2] = config.tokens
    few, all_of_them = estimate_cycles(config, ZCU104, counts), estimate_cycles(config, ZCU104)
    _consistent(few)
    assert few.experts_used == (2,) * 6
    assert few.total < 0.65 * all_of_them.total
    fetched = few.dram_bytes["experts"] - few.wasted_bytes
    assert fetched * 8 == all_of_them.dram_bytes["experts"]


def test_speculation_wastes_only_before_the_plan_is_known() -> None:
    config = model_preset("tiny-cityscapes")
    counts = np.zeros((6, 16), np.int64)
    counts[:, 12:] = config.tokens
    report = estimate_cycles(config, ZCU104, counts)
    each = expert_bytes(ZCU104, config.width, config.expert_hidden)
    assert report.wasted_bytes % each == 0
    # what the ring holds, and the rest of the one that has begun
    assert 0 < report.wasted_bytes / 6 < ZCU104.ring_bytes + 4 * 2048 + each
    careful = estimate_cycles(config, ZCU104, counts, Assumptions(speculate=0))
    assert careful.wasted_bytes == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_routing_costs_little_more_than_balanced(seed: int) -> None:
    config = model_preset("nano-cityscapes")
    order = np.random.default_rng(seed).random((3, config.tokens, config.experts)).argsort(-1)
    chosen = order[..., : config.top_k].reshape(3, -1)
    counts = np.array([np.bincount(row, minlength=config.experts) for row in chosen])
    report = estimate_cycles(config, ZCU104, counts)
    _consistent(report)
    assert report.total == pytest.approx(estimate_cycles(config, ZCU104).total, rel=0.05)


def test_more_bandwidth_helps_the_network_that_waits_for_it() -> None:
    config = model_preset("tiny-cityscapes-k2")
    totals = [
        estimate_cycles(config, replace(ZCU104, memory_gbytes_per_s=rate)).total
        for rate in (4.8, 9.6, 13.7, 19.2)
    ]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > 2 * totals[2]


def test_ports_bound_the_bandwidth() -> None:
    machine = replace(ZCU104, memory_ports=1)
    report = estimate_cycles(model_preset("tiny-cityscapes"), machine)
    assert report.bytes_per_cycle == 16


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros((2, 16), np.int64),
        np.full((6, 16), 129),
        np.full((6, 16), -1),
        np.tile([516] + [0] * 15, (6, 1)),
    ],
)
def test_impossible_counts_are_refused(counts: np.ndarray) -> None:
    with pytest.raises(ConfigurationError, match="routing counts"):
        estimate_cycles(model_preset("tiny-cityscapes"), ZCU104, counts)


def test_a_ring_smaller_than_a_panel_is_refused() -> None:
    machine = replace(ZCU104, ring_bytes=4096)
    with pytest.raises(ConfigurationError, match="larger ring"):
        estimate_cycles(model_preset("small-pascal"), machine)


def test_the_largest_preset_answers_in_about_a_second() -> None:
    start = time.process_time()
    report = estimate_cycles(model_preset("base-nyud"), ZCU104)
    assert time.process_time() - start < 2
    _consistent(report)
