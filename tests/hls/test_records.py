"""Work of the kernels is that of the cost model, layer by layer."""

from dataclasses import replace

import pytest

from m3vit.hls.config_text import constants
from m3vit.hls.layer import Kind, Parallelism
from m3vit.hls.records import covered_macs, kernel_macs
from m3vit.hls.shapes import shape_layer
from m3vit.hw.config import ModelConfig
from m3vit.hw.machine import MACHINES
from m3vit.hw.presets import model_preset
from tests.support.packages import MICRO

CONFIGS = [
    MICRO,
    replace(MICRO, name="wide", expert_ratio=2, top_k=3),
    model_preset("nano-scenes"),
    model_preset("small-pascal"),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_all_layers_sum_to_the_cost_models_count(config: ModelConfig) -> None:
    layers = [shape_layer(config, MACHINES["zcu104"], block) for block in range(config.blocks)]
    total = sum(kernel_macs(one.kind, constants(one, Parallelism())) for one in layers)
    assert total == covered_macs(config) > 0


def test_a_gate_alone() -> None:
    sizes = {"tokens": 9, "width": 32, "hidden": 32, "experts": 4, "top_k": 2}
    assert kernel_macs(Kind.GATE, sizes) == 9 * 32 * 4
