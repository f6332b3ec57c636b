"""The complete small machine in Verilator: results and every traced layer equal the executor."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.profile import added, profiles_of, read_profile, write_profile
from m3vit.hw.commands.fields import Base
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.executor.engine import Engine, image_bytes
from m3vit.hw.formats import Int8, UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.package import Package, read_package
from m3vit.hw.quantised import Block, QuantisedModel
from m3vit.hw.registers import COUNTERS
from m3vit.sim.rtl.simulator import RtlRun, RtlSimulator
from m3vit.sim.rtl.verilog import build_folder, simulation_verilog
from tests.support.random_models import random_image, random_model

pytestmark = pytest.mark.slow

MACHINE = machine_preset("mini")
TASKS = tuple(TaskConfig(name=n, kind=TaskKind.DEPTH, channels=1) for n in ("near", "far"))
MICRO = ModelConfig(
    name="micro",
    image_height=48,
    image_width=64,
    width=96,
    heads=3,
    blocks=2,
    experts=8,
    top_k=2,
    head_width=16,
    tasks=TASKS,
)
LIMIT = 2_000_000


def opened(options: Mapping[str, float] | None = None) -> RtlSimulator:
    home = build_folder()
    return RtlSimulator(simulation_verilog(MACHINE, home), MACHINE, home, options)


@pytest.fixture(scope="module")
def simulator() -> Iterator[RtlSimulator]:
    with opened() as running:
        yield running


def compiled(model: QuantisedModel, path: Path) -> Package:
    compile_model(model, MACHINE, path / "package")
    return read_package(path / "package")


def expected(package: Package, tiles: Int8, task: int) -> tuple[UInt8, UInt8, int]:
    """Result bytes, trace bytes and saturations of the executor."""
    config = package.config
    memory: dict[Base, UInt8] = {
        Base.IMAGE: image_bytes(tiles),
        Base.RESULT: np.zeros(2 * config.tokens * config.width, np.uint8),
        Base.TRACE: np.zeros(package.trace_bytes, np.uint8),
    }
    outcome = Engine(package.commands, package.weights, MACHINE).run(memory, task)
    return memory[Base.RESULT], memory[Base.TRACE], outcome.saturations


def image(config: ModelConfig, seed: int) -> Int8:
    return patches(random_image(config, seed), config.patch)


def require_equal(package: Package, run: RtlRun, tiles: Int8, task: int) -> None:
    result, trace, saturations = expected(package, tiles, task)
    if run.trace is not None:
        for region in package.trace:
            own = slice(region.offset, region.offset + region.size)
            where = f"block {region.block}, {region.name}"
            np.testing.assert_array_equal(run.trace[own], trace[own], err_msg=where)
    np.testing.assert_array_equal(run.result.reshape(-1), result.view(np.int16))
    assert run.counters["SATURATIONS"] == saturations
    require_one_cause_a_cycle(run)


def require_one_cause_a_cycle(run: RtlRun) -> None:
    """The array is busy, waits for exactly one thing or is blocked in every cycle."""
    causes = {name: count for name, count in run.counters.items() if name.startswith("ARRAY_")}
    assert sum(causes.values()) == run.counters["CYCLES"], causes
    assert causes["ARRAY_BUSY"] > 0


SHAPES = {
    "micro": MICRO,
    "one patch": replace(MICRO, image_height=16, image_width=16),
    "two heads": replace(MICRO, width=64, heads=2, top_k=3),
    "five heads": replace(MICRO, width=160, heads=5, blocks=1),
    "wide head": replace(MICRO, width=64, heads=1),
    "one expert": replace(MICRO, experts=1, top_k=1),
    "all experts": replace(MICRO, experts=4, top_k=4),
    "wide experts": replace(MICRO, expert_ratio=2),
    "more tokens": replace(MICRO, image_height=112, image_width=112),
    "dense": MICRO.dense_twin(),
}


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_every_layer_equals_the_executor(
    simulator: RtlSimulator, config: ModelConfig, tmp_path: Path
) -> None:
    package = compiled(random_model(config, 1), tmp_path)
    simulator.load(package)
    tiles = image(config, 1)
    require_equal(package, simulator.run(tiles, 0, trace=True, limit=LIMIT), tiles, 0)


def test_a_profile_tells_every_counter_by_command_and_over_time(
    simulator: RtlSimulator, tmp_path: Path
) -> None:
    package = compiled(random_model(MICRO, 3), tmp_path)
    simulator.load(package)
    run = simulator.run(image(MICRO, 1), 0, limit=LIMIT, profile=True)
    assert run.profile is not None
    (profile,) = profiles_of(run.profile, package)
    bins = added(iter(profile.bins))
    for name, count in run.counters.items():
        assert profile.total[name] == bins[name] == count, name
    array = [name for name in COUNTERS if name.startswith("ARRAY_")]
    for step in profile.steps:
        assert sum(step.counts[name] for name in array) == step.counts["CYCLES"], step
    assert {step.layer for step in profile.steps} >= {"qkv", "attention", "gate", "experts"}
    files = write_profile(tmp_path / "profile", profile)
    assert read_profile(files[0]) == profile


def test_images_and_tasks_leave_nothing_behind(simulator: RtlSimulator, tmp_path: Path) -> None:
    package = compiled(random_model(MICRO, 2), tmp_path)
    simulator.load(package)
    cycles = []
    for seed, task in ((1, 0), (2, 1), (3, 0), (1, 0)):
        tiles = image(MICRO, seed)
        run = simulator.run(tiles, task, limit=LIMIT)
        require_equal(package, run, tiles, task)
        cycles.append(run.cycles)
    assert len(set(cycles[1:])) > 1, "counters do not look alive"


def alike(model: QuantisedModel) -> QuantisedModel:
    """Every task's gates are the first one's: all tasks route alike."""
    blocks = (replace(b, gates=b.gates[:1] * len(b.gates)) for b in model.blocks)
    return replace(model, blocks=tuple(blocks))


MEMORIES = {
    "fast": {"refresh_every": 0, "rate": 64},
    "slow and late": {"refresh_every": 0, "rate": 8, "latency": 400},
}
"""Without refresh, which comes at times of its own."""


@pytest.mark.parametrize("options", MEMORIES.values(), ids=MEMORIES.keys())
def test_a_change_of_task_costs_no_cycle(options: Mapping[str, float], tmp_path: Path) -> None:
    """Tasks in turn take the cycles, one by one, of as many runs of one task; so does every
    counter."""
    tasks = tuple(replace(TASKS[0], name=f"task{n}") for n in range(6))
    package = compiled(alike(random_model(replace(MICRO, tasks=tasks), 4)), tmp_path)
    tiles = image(MICRO, 1)
    runs = {}
    for order in ((0, 0, 0, 0), (0, 5, 0, 5), (1, 2, 4, 3)):
        with opened(options) as fresh:
            fresh.load(package)
            runs[order] = [fresh.run(tiles, task, limit=LIMIT) for task in order]
            require_equal(package, runs[order][1], tiles, order[1])
    counted = [[run.counters for run in each] for each in runs.values()]
    assert counted[1:] == counted[:1] * 2


def one_expert(block: Block, number: int) -> Block:
    """Gates that send every token to expert ``number``."""
    gates = []
    for gate in block.gates:
        bias = np.zeros_like(gate.bias)
        bias[number] = 1 << 20
        gates.append(replace(gate, weight=np.zeros_like(gate.weight), bias=bias))
    return replace(block, gates=tuple(gates))


def test_all_tokens_to_one_expert(simulator: RtlSimulator, tmp_path: Path) -> None:
    model = random_model(replace(MICRO, top_k=1), 3)
    model = replace(model, blocks=tuple(one_expert(block, 5) for block in model.blocks))
    package = compiled(model, tmp_path)
    simulator.load(package)
    tiles = image(model.config, 1)
    run = simulator.run(tiles, 1, trace=True, limit=LIMIT)
    require_equal(package, run, tiles, 1)
    used = run.counters["EXPERTS_LOADED"] - run.counters["EXPERTS_DROPPED"]
    assert used == 4 + 1  # the dense block's chunks, then one
