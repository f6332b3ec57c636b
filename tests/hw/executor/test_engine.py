"""Executing the compiled commands equals evaluating the quantised model layer by layer."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from m3vit.hw.commands.fields import Base, Op, Store
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import CommandError
from m3vit.hw.evaluate import evaluate
from m3vit.hw.executor.dma import plan_records
from m3vit.hw.executor.engine import Engine, image_bytes
from m3vit.hw.formats import Int16, UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import MACHINES, MachineConfig
from m3vit.hw.quantised import QuantisedModel
from tests.support.random_models import random_image, random_model

TASKS = tuple(TaskConfig(name=n, kind=TaskKind.DEPTH, channels=1) for n in ("near", "far"))
BASE = ModelConfig(
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
SHAPES = {
    "micro": BASE,
    "one token a side": replace(BASE, image_height=16, image_width=16),
    "two heads": replace(BASE, width=64, heads=2, top_k=3),
    "five heads": replace(BASE, width=160, heads=5),
    "wide head": replace(BASE, width=64, heads=1),
    "one expert": replace(BASE, experts=1, top_k=1),
    "many experts": replace(BASE, experts=100, top_k=8, image_width=16),
    "all experts": replace(BASE, experts=4, top_k=4),
    "twice as wide experts": replace(BASE, expert_ratio=2),
    "dense twin": BASE.dense_twin(),
}
ODD = MachineConfig(name="odd", groups=2, rows=16, columns=8)


class Bench:
    """A compiled random model with its buffers."""

    def __init__(self, config: ModelConfig, machine: MachineConfig, seed: int = 0) -> None:
        self.model: QuantisedModel = random_model(config, seed)
        self.program: Program = emit_program(self.model, machine)
        commands = tuple(self.program.commands)
        self.engine = Engine(commands, self.program.memory.data, machine)
        self.trace: UInt8 = np.zeros(self.program.trace.size, np.uint8)

    def memory(self, image: UInt8) -> dict[Base, UInt8]:
        config = self.model.config
        result = np.full(2 * config.tokens * config.width, 0xA5, np.uint8)
        tiles = patches(image, config.patch)
        return {Base.IMAGE: image_bytes(tiles), Base.RESULT: result}

    def run(self, image: UInt8, task: int) -> Int16:
        memory = self.memory(image)
        self.engine.run(memory, task)
        return memory[Base.RESULT].view("<i2").reshape(-1, self.model.config.width)


@pytest.mark.parametrize("machine", [MACHINES["zcu104"], ODD], ids=lambda m: m.name)
@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_equals_layer_by_layer_evaluation(config: ModelConfig, machine: MachineConfig) -> None:
    bench = Bench(config, machine)
    for task in range(len(config.tasks)):
        image = random_image(config, task)
        expected = evaluate(bench.model, image, task)
        assert np.array_equal(bench.run(image, task), expected.result)


def test_three_images_in_a_row_and_the_first_again() -> None:
    bench = Bench(BASE, MACHINES["mini"])
    images = [random_image(BASE, seed) for seed in range(3)]
    results = [bench.run(image, 0) for image in images]
    assert not np.array_equal(results[0], results[1])
    assert np.array_equal(bench.run(images[0], 1), evaluate(bench.model, images[0], 1).result)
    for image, result in zip(images, results, strict=True):
        assert np.array_equal(bench.run(image, 0), result)


def test_trace_holds_every_layer() -> None:
    bench = Bench(BASE, MACHINES["mini"])
    image, seen = random_image(BASE, 5), {}
    memory: dict[Base, UInt8] = {**bench.memory(image), Base.TRACE: bench.trace}

    def observe(name: str, block: int, values: np.ndarray) -> None:
        seen[name, max(block, 0)] = values.copy()

    expected = evaluate(bench.model, image, 1, observe)
    bench.engine.run(memory, 1)
    types = {"INT8": "<i1", "INT32": "<i4", "PLAN": "<u1"}
    for region in bench.program.trace.regions:
        data = bench.trace[region.offset : region.offset + region.size]
        found = data.view(types[region.element]).reshape(region.tokens, -1)
        if region.name == "plan":
            wanted = plan_records(expected.plans[region.block])
        else:
            wanted = seen[region.name, region.block]
        assert np.array_equal(found, wanted), (region.name, region.block)
    assert {region.name for region in bench.program.trace.regions} == {
        "embed", "ln1", "attention", "mid", "ln2", "plan", "out",
    }  # fmt: skip


def test_without_a_trace_buffer_nothing_is_traced() -> None:
    bench = Bench(BASE, MACHINES["mini"])
    image = random_image(BASE, 1)
    plain = bench.engine.run(bench.memory(image), 0).commands
    traced = bench.engine.run({**bench.memory(image), Base.TRACE: bench.trace}, 0).commands
    assert traced == plain + len(bench.program.trace.regions)


def _buffers(bench: Bench, **sizes: int) -> Mapping[Base, UInt8]:
    memory = bench.memory(random_image(BASE, 0))
    return {base: memory[base][: sizes.get(base.name, None)] for base in memory}


@pytest.mark.parametrize("base", ["IMAGE", "RESULT"])
def test_a_short_buffer_is_refused_by_name(base: str) -> None:
    bench = Bench(BASE, MACHINES["mini"])
    with pytest.raises(CommandError, match=f"the {base.lower()} buffer has 100 bytes"):
        bench.engine.run(_buffers(bench, **{base: 100}), 0)


def test_a_model_beyond_the_machine_is_refused() -> None:
    large = replace(BASE, width=384, heads=12)
    with pytest.raises(CommandError, match="width is 384, expected 16 to 192"):
        Bench(large, MACHINES["mini"])


def test_a_list_for_another_machine_is_refused() -> None:
    program = emit_program(random_model(BASE, 0), MACHINES["zcu104"])
    with pytest.raises(CommandError, match="digest is"):
        Engine(tuple(program.commands), program.memory.data, MACHINES["mini"])


def test_weights_beyond_the_image_are_refused() -> None:
    program = emit_program(random_model(BASE, 0), MACHINES["mini"])
    with pytest.raises(CommandError, match="package window"):
        Engine(tuple(program.commands), program.memory.data[:-70000], MACHINES["mini"])


def test_a_store_read_before_it_is_written_is_refused() -> None:
    program = emit_program(random_model(BASE, 0), MACHINES["mini"])
    commands = tuple(c for c in program.commands if c.dst is not Store.XN)
    engine = Engine(commands, program.memory.data, MACHINES["mini"])
    bench = Bench(BASE, MACHINES["mini"])
    with pytest.raises(CommandError, match="XN is read before"):
        engine.run(bench.memory(random_image(BASE, 0)), 0)


def test_a_store_of_the_wrong_size_is_refused() -> None:
    program = emit_program(random_model(BASE, 0), MACHINES["mini"])
    commands = tuple(c for c in program.commands if c.op is not Op.NORM)
    engine = Engine(commands, program.memory.data, MACHINES["mini"])
    bench = Bench(BASE, MACHINES["mini"])
    with pytest.raises(CommandError, match=r"XN holds 12 tokens x 768 channels, the command"):
        engine.run(bench.memory(random_image(BASE, 0)), 0)


def test_an_image_larger_than_xn_comes_in_shares() -> None:
    tight = replace(MACHINES["mini"], activation_bytes=4000)
    bench = Bench(BASE, tight)
    shares = [c for c in bench.program.commands if c.dst is Store.XN and c.op is Op.DMA]
    assert [share.tokens for share in shares] == [4, 4, 4]
    image = random_image(BASE, 3)
    assert np.array_equal(bench.run(image, 0), evaluate(bench.model, image, 0).result)


def test_a_list_without_end_is_refused() -> None:
    program = emit_program(random_model(BASE, 0), MACHINES["mini"])
    with pytest.raises(CommandError, match="CONFIG first and END last"):
        Engine(tuple(program.commands[:-1]), program.memory.data, MACHINES["mini"])
