import pytest
import torch

from m3vit.hw.errors import ConfigurationError
from m3vit.model.network import M3ViT
from m3vit.model.train.optimiser import WeightAverage, learning_rate, make_optimiser
from m3vit.model.train.settings import TrainSettings
from tests.model.micro import micro_config


def test_schedule_rises_then_falls() -> None:
    settings = TrainSettings(steps=1000, warmup=100, learning_rate=2.0)
    rates = [learning_rate(settings, step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02) and rates[99] == pytest.approx(2.0)
    assert max(rates) == rates[99] or max(rates) == rates[100]
    assert all(a > b for a, b in zip(rates[100:], rates[101:], strict=False))
    assert rates[-1] == pytest.approx(0.02, rel=0.01)


def test_polynomial_schedule_of_the_original() -> None:
    settings = TrainSettings(steps=100, warmup=0, learning_rate=1.0, schedule="poly")
    assert learning_rate(settings, 50) == pytest.approx(0.5**0.9)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_biases_norms_and_positions_do_not_decay(name: str) -> None:
    network = M3ViT(micro_config())
    optimiser = make_optimiser(network, TrainSettings(steps=1, optimiser=name))
    decay = {id(p): g["weight_decay"] for g in optimiser.param_groups for p in g["params"]}
    decays = {key: decay[id(value)] > 0 for key, value in network.named_parameters()}
    assert decays["backbone.blocks.1.mlp.gate.0.w_gate"]
    assert decays["backbone.blocks.1.mlp.experts.htoh4.weight"]
    for key in (
        "pos_embed",
        "cls_token",
        "blocks.1.mlp.experts.htoh4.bias",
        "blocks.0.norm1.weight",
    ):
        assert not decays[f"backbone.{key}"]


def test_average_forgets_its_start_and_then_follows_slowly() -> None:
    network = torch.nn.BatchNorm1d(1)
    average = WeightAverage(network, 0.9)
    state = {k: v.clone() for k, v in network.state_dict().items()}
    state["weight"] = torch.tensor([5.0])
    state["num_batches_tracked"] = torch.tensor(7)
    average.update(state, 0)
    assert float(average.values["weight"]) == pytest.approx(0.1 * 1 + 0.9 * 5)
    average.update(state | {"weight": torch.tensor([0.0])}, 10000)
    assert float(average.values["weight"]) == pytest.approx(0.9 * 4.6)
    assert int(average.values["num_batches_tracked"]) == 7


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": 0},
        {"batch": 0},
        {"optimiser": "adam"},
        {"schedule": "step"},
        {"learning_rate": 0.0},
        {"ema": 1.0},
        {"drop_path": 1.0},
        {"precision": "float16"},
    ],
)
def test_settings_out_of_range_are_named(bad: dict[str, object]) -> None:
    (name,) = bad
    with pytest.raises(ConfigurationError, match=f"{name} is .*, expected"):
        TrainSettings(**{"steps": 5, **bad})
