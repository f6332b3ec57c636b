"""Experts token by token in the complete machine: the executor's integers, the cache's fetches."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.hw.commands.order import in_token_order
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.reordering import cached_experts, fetches
from m3vit.hw.layout.sizes import expert_bytes
from m3vit.hw.package import Package
from m3vit.hw.quantised import QuantisedModel
from m3vit.sim.rtl.simulator import RtlSimulator
from tests.sim.rtl.test_simulator import (
    LIMIT,
    MACHINE,
    MICRO,
    compiled,
    image,
    one_expert,
    opened,
    require_equal,
)
from tests.support.packages import plans_of
from tests.support.random_models import random_model

pytestmark = pytest.mark.slow

BEAT = MACHINE.port_bits // 8
CHUNKS = 4
"""Of the first block's dense MLP, which count as experts loaded."""

SHAPES = {
    "two in the ring": (MICRO, 2),
    "three": (replace(MICRO, width=64, heads=2, top_k=3), 3),
    "all that a token has": (replace(MICRO, experts=4, top_k=4), 2),
    "one": (replace(MICRO, expert_ratio=2), 1),
    "larger than the ring": (replace(MICRO, width=192, heads=6), 0),
    "many": (replace(MICRO, width=32, heads=1, experts=16, top_k=4), 12),
    "one token": (replace(MICRO, image_height=16, image_width=16), 2),
    "more tokens": (replace(MICRO, image_height=112, image_width=112), 2),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[RtlSimulator]:
    with opened() as running:
        yield running


def both(model: QuantisedModel, path: Path) -> tuple[Package, Package]:
    """The package with reordering and without."""
    package = compiled(model, path)
    return package, replace(package, commands=in_token_order(package.commands))


@pytest.mark.parametrize("config, kept", SHAPES.values(), ids=SHAPES.keys())
def test_the_integers_of_every_layer_and_the_fetches_of_a_cache(
    simulator: RtlSimulator, config: ModelConfig, kept: int, tmp_path: Path
) -> None:
    package, other = both(random_model(config, 1), tmp_path)
    tiles = image(config, 1)
    assert cached_experts(config, MACHINE) == kept
    plans = plans_of(package, tiles, 0)
    routed = np.stack([plans[block].per_token()[0] for block in config.moe_blocks])
    fetched = fetches(config, MACHINE, routed)
    simulator.load(package)
    reordered = simulator.run(tiles, 0, limit=LIMIT).counters
    simulator.load(other)
    require_equal(other, simulator.run(tiles, 0, trace=True, limit=LIMIT), tiles, 0)
    run = simulator.run(tiles, 0, limit=LIMIT)
    require_equal(other, run, tiles, 0)
    loaded = (run.counters["EXPERTS_LOADED"], reordered["EXPERTS_LOADED"])
    assert loaded[0] == CHUNKS + fetched and run.counters["EXPERTS_DROPPED"] == 0
    more = BEAT * (run.counters["READ_BEATS"] - reordered["READ_BEATS"])
    assert more == (loaded[0] - loaded[1]) * expert_bytes(
        MACHINE, config.width, config.expert_hidden
    )


def test_both_ways_in_turn_leave_nothing_behind(simulator: RtlSimulator, tmp_path: Path) -> None:
    """One block token by token, then the other, then both, then none."""
    package, other = both(random_model(replace(MICRO, blocks=4), 2), tmp_path)
    mixed = [
        replace(
            package,
            commands=tuple(
                (own if command.block == block else command)
                for command, own in zip(package.commands, other.commands, strict=True)
            ),
        )
        for block in (1, 3)
    ]
    tiles, cycles = image(package.config, 1), []
    for which in (*mixed, other, package, *mixed):
        simulator.load(which)
        run = simulator.run(tiles, 1, limit=LIMIT)
        require_equal(which, run, tiles, 1)
        cycles.append(run.cycles)
    assert cycles[3] < min(cycles[:2]) and cycles[2] > max(cycles[:2])


def test_one_expert_is_fetched_once(simulator: RtlSimulator, tmp_path: Path) -> None:
    model = random_model(replace(MICRO, top_k=1), 3)
    model = replace(model, blocks=tuple(one_expert(block, 5) for block in model.blocks))
    _, other = both(model, tmp_path)
    simulator.load(other)
    tiles = image(model.config, 1)
    run = simulator.run(tiles, 1, trace=True, limit=LIMIT)
    require_equal(other, run, tiles, 1)
    assert run.counters["EXPERTS_LOADED"] == CHUNKS + 1


def test_saturated_sums_are_the_same(simulator: RtlSimulator, tmp_path: Path) -> None:
    """A token's experts are added in the same order either way."""
    model = random_model(replace(MICRO, top_k=4), 4)
    rng = np.random.default_rng(4)
    edges = rng.choice((-32768, 32767), model.position.shape).astype(model.position.dtype)
    package, other = both(replace(model, position=edges), tmp_path)
    tiles, counts = image(model.config, 2), []
    for which in (package, other):
        simulator.load(which)
        run = simulator.run(tiles, 0, trace=True, limit=LIMIT)
        require_equal(which, run, tiles, 0)
        counts.append(run.counters["SATURATIONS"])
    assert counts[0] == counts[1] > 100
