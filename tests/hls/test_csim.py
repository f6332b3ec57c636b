from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.hls.compare import first_difference
from m3vit.hls.csim import Csim
from m3vit.hls.from_model import router_layer
from m3vit.hls.layer import HlsLayer, Parallelism
from m3vit.hls.project import MEMORY
from m3vit.hls.reference import expected
from m3vit.hw.errors import ToolError
from m3vit.hw.machine import machine_preset
from tests.hls.layers import (
    compiled,
    fixed_gate,
    random_layer,
    random_residual,
    reloaded,
    with_gate,
)


def check(program: Csim, images: list[np.ndarray], tasks: list[int]) -> list[dict[str, np.ndarray]]:
    layer = program.layer
    results = program.run(images, tasks)
    for image, task, got in zip(images, tasks, results, strict=True):
        wanted = expected(layer, image, task)
        assert first_difference(layer.name, got, wanted) is None
        assert set(got.stages) == set(wanted.stages)
    return [result.stages for result in results]


@pytest.fixture(scope="module")
def moe(tmp_path_factory: pytest.TempPathFactory) -> Csim:
    return compiled(random_layer(), tmp_path_factory.mktemp("moe"), Parallelism(unroll=2))


def test_three_calls_in_a_row_and_the_first_again(moe: Csim) -> None:
    images = [random_residual(moe.layer, seed) for seed in range(3)]
    stages = check(moe, [*images, images[0]], [0, 1, 4, 0])
    for name, first in stages[0].items():
        assert np.array_equal(first, stages[3][name])
    assert not np.array_equal(stages[0]["out"], stages[1]["out"])


@pytest.mark.parametrize("largest", [(0, 1), (2, 3), (1, 3)])
def test_two_experts_receive_every_token_and_two_none(
    moe: Csim, tmp_path: Path, largest: tuple[int, int]
) -> None:
    logits = np.zeros(4, np.int32)
    logits[list(largest)] = 1 << 26
    layer = with_gate(moe.layer, fixed_gate(moe.layer, logits))
    stages = check(reloaded(moe, layer, tmp_path / "p"), [random_residual(layer, 5)], [0])
    assert set(np.unique(stages[0]["experts"])) == set(largest)


def test_equal_logits_go_to_the_lower_experts(moe: Csim, tmp_path: Path) -> None:
    layer = with_gate(moe.layer, fixed_gate(moe.layer, np.zeros(4, np.int32)))
    stages = check(reloaded(moe, layer, tmp_path / "p"), [random_residual(layer, 6)], [0])
    assert (stages[0]["experts"] == [0, 1]).all()


def test_logits_of_extreme_spread(moe: Csim, tmp_path: Path) -> None:
    ends = np.array([-(2**31), 2**31 - 1, -(2**31), 2**31 - 1], np.int64).astype(np.int32)
    layer = with_gate(moe.layer, fixed_gate(moe.layer, ends))
    stages = check(reloaded(moe, layer, tmp_path / "p"), [random_residual(layer, 7)], [0])
    assert (stages[0]["experts"] == [1, 3]).all()


def test_residual_at_its_limits(moe: Csim) -> None:
    shape = (moe.layer.tokens, moe.layer.width)
    rng = np.random.default_rng(0)
    ends = rng.choice([-(1 << 17), (1 << 17) - 1], shape).astype(np.int32)
    check(moe, [np.zeros(shape, np.int32), ends, np.full(shape, (1 << 17) - 1, np.int32)], [0] * 3)


def test_a_changed_weight_is_found_and_named(moe: Csim, tmp_path: Path) -> None:
    copy = reloaded(moe, moe.layer, tmp_path / "p")
    memory = bytearray((copy.project / MEMORY).read_bytes())
    memory[moe.layer.addresses.norm] ^= 64  # gamma of channel 0
    (copy.project / MEMORY).write_bytes(memory)
    image = random_residual(moe.layer, 1)
    (got,) = copy.run([image], [0])
    found = first_difference("block1.moe", got, expected(moe.layer, image, 0))
    assert found is not None and (found.stage, found.place[1]) == ("normalised", 0)
    assert "block1.moe: normalised differs first at token" in str(found)


def test_one_token_with_every_expert_on_the_full_array(tmp_path: Path) -> None:
    layer = random_layer(machine="zcu104", tokens=1, width=64, experts=3, top_k=3, seed=2)
    program = compiled(layer, tmp_path / "p", Parallelism(unroll=8, lanes=8, word_bytes=32))
    check(program, [random_residual(layer, seed) for seed in range(3)], [0, 1, 2])


def test_one_expert_receives_every_token(tmp_path: Path) -> None:
    layer = random_layer(tokens=40, experts=3, top_k=1, seed=1)
    layer = with_gate(layer, fixed_gate(layer, np.array([0, 5, 1], np.int32) << 24))
    program = compiled(layer, tmp_path / "p", Parallelism(unroll=1, word_bytes=4))
    stages = check(program, [random_residual(layer, seed) for seed in range(2)], [0, 1])
    assert (stages[0]["experts"] == 1).all()


@pytest.mark.slow
def test_dense_mlp(tmp_path: Path) -> None:
    layer = random_layer(moe=False, tokens=5, width=64, seed=3)
    program = compiled(layer, tmp_path / "p", Parallelism(unroll=4, lanes=2, word_bytes=8))
    images = [random_residual(layer, seed) for seed in range(3)]
    check(program, [*images, images[0]], [0] * 4)


def router(tokens: int, width: int, experts: int, top_k: int) -> HlsLayer:
    gates = random_layer(width=width, experts=experts, top_k=top_k, seed=4).gates
    machine = machine_preset("zcu104")
    return router_layer("block1.gate", machine, tokens=tokens, top_k=top_k, gates=gates)


@pytest.mark.slow
def test_gate_of_more_experts_than_a_panel_holds(tmp_path: Path) -> None:
    layer = router(tokens=6, width=64, experts=30, top_k=8)
    program = compiled(layer, tmp_path / "p")
    rng = np.random.default_rng(0)
    images = [rng.integers(-128, 128, (6, 64)).astype(np.int32) for _ in range(3)]
    check(program, images, [0, 3, 1])


def test_a_program_that_says_or_fails_anything_is_an_error(moe: Csim, tmp_path: Path) -> None:
    shout = tmp_path / "shout"
    shout.write_text("#!/bin/sh\necho 'WARNING: stream read while empty'\n")
    shout.chmod(0o755)
    with pytest.raises(ToolError, match="read while empty"):
        replace(moe, program=shout).run([random_residual(moe.layer, 1)], [0])
    hang = tmp_path / "hang"
    hang.write_text("#!/bin/sh\nexec sleep 60\n")
    hang.chmod(0o755)
    with pytest.raises(ToolError, match="did not end"):
        replace(moe, program=hang, timeout_s=0.2).run([random_residual(moe.layer, 1)], [0])


@pytest.mark.slow
def test_a_mixture_of_small_at_1025_tokens(tmp_path: Path) -> None:
    layer = random_layer(machine="zcu104", tokens=1025, width=384, experts=16, top_k=4, seed=5)
    program = compiled(layer, tmp_path / "p", Parallelism(unroll=2))
    check(program, [random_residual(layer, 0)], [0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_shapes(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    experts = int(rng.integers(1, 20))
    layer = random_layer(
        machine=str(rng.choice(["mini", "zcu104"])),
        tokens=int(rng.integers(1, 40)),
        width=32 * int(rng.integers(1, 5)),
        ratio=int(rng.integers(1, 3)),
        experts=experts,
        top_k=int(rng.integers(1, min(8, experts) + 1)),
        seed=seed,
    )
    chosen = Parallelism(unroll=int(rng.choice([1, 2, 4, 8])), lanes=int(rng.choice([2, 4, 8])))
    program = compiled(layer, tmp_path / "p", chosen)
    images = [random_residual(layer, seed) for seed in range(3)]
    check(program, [*images, images[0]], [0, 1, 2, 0])
