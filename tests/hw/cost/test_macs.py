from dataclasses import replace

import pytest

from m3vit.hw.cost.macs import Layer, encoder_costs, encoder_macs, head_costs, head_macs
from m3vit.hw.presets import MODELS, model_preset


@pytest.mark.parametrize(
    ("preset", "paper"),
    [("small-pascal", 84e9), ("small-nyud", 100e9), ("base-nyud", 191e9)],
)
def test_encoder_and_one_head_reproduce_the_paper(preset: str, paper: float) -> None:
    config = model_preset(preset)
    total = encoder_macs(config) + head_macs(config, config.task("semseg"))
    assert total == pytest.approx(paper, rel=0.01)


def test_small_nyud_by_hand() -> None:
    config = model_preset("small-nyud")
    by_layer: dict[Layer, int] = {}
    for cost in encoder_costs(config):
        by_layer[cost.layer] = by_layer.get(cost.layer, 0) + cost.macs
    assert by_layer[Layer.EMBEDDING] == 1200 * 768 * 384
    assert by_layer[Layer.QKV] == 12 * 1201 * 3 * 384**2
    assert by_layer[Layer.SCORES] == by_layer[Layer.MIX] == 12 * 1201**2 * 384
    assert by_layer[Layer.EXPERTS] == 6 * 1201 * 4 * 2 * 384**2
    assert by_layer[Layer.GATE] == 6 * 1201 * 384 * 16


def test_commuted_head_saves_four_where_the_grid_doubles() -> None:
    config = model_preset("small-nyud")
    task = config.task("semseg")
    direct, commuted = head_costs(config, task), head_costs(config, task, commuted=True)
    ratios = [a.macs / b.macs for a, b in zip(direct, commuted, strict=True)]
    assert ratios == [1, 4, 4, 4, 1]
    assert head_macs(config, task, commuted=True) == pytest.approx(16.7e9, rel=0.01)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_dense_twin_has_the_same_macs_without_the_gates(name: str) -> None:
    config = model_preset(name)
    gates = sum(c.macs for c in encoder_costs(config) if c.layer is Layer.GATE)
    assert encoder_macs(config.dense_twin()) == encoder_macs(config) - gates


def test_weight_bytes_grow_with_experts_and_macs_do_not() -> None:
    config = model_preset("small-pascal")
    more = replace(config, experts=64)
    few, many = ({c.name: c for c in encoder_costs(x)} for x in (config, more))
    name = "blocks.1.experts"
    assert many[name].weight_bytes == 4 * few[name].weight_bytes
    assert many[name].macs == few[name].macs
