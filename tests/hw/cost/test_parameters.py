from dataclasses import replace

import pytest

from m3vit.hw.config import GateKind, ModelConfig
from m3vit.hw.cost.parameters import encoder_parameters, head_parameters, parameters
from m3vit.hw.presets import model_preset

torch = pytest.importorskip("torch")


def _counted(module: object) -> int:
    return sum(p.numel() for p in module.parameters())  # type: ignore[attr-defined]


@pytest.mark.parametrize("gate", list(GateKind))
@pytest.mark.parametrize("moe", [True, False])
def test_equals_the_network(gate: GateKind, moe: bool) -> None:
    from m3vit.model.network.backbone import Backbone
    from m3vit.model.network.head import Head

    config: ModelConfig = replace(model_preset("nano-scenes"), gate=gate, moe=moe)
    assert encoder_parameters(config) == _counted(Backbone(config))
    task = config.tasks[0]
    assert head_parameters(config, task) == _counted(Head(config, task))


def test_small_has_43_million_in_the_encoder() -> None:
    config = model_preset("small-pascal")
    assert encoder_parameters(config) == pytest.approx(43.3e6, rel=0.01)
    assert parameters(config) > encoder_parameters(config)
