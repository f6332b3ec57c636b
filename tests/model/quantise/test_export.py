"""The exported integers follow the float network, over gate kinds and odd configurations."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from m3vit.hw.config import GateKind
from m3vit.hw.errors import QuantisationError
from m3vit.hw.evaluate import evaluate, evaluate_head
from m3vit.hw.formats import SCORE_UNIT
from m3vit.hw.quantised import QuantisedModel
from m3vit.model.images import to_tensor
from m3vit.model.network import M3ViT, Observer
from m3vit.model.quantise.calibrate import calibrate
from m3vit.model.quantise.export import export
from m3vit.model.quantise.float_pass import run_float
from m3vit.model.quantise.ranges import HEAD
from m3vit.model.quantise.residual_error import ResidualError, ResidualWatch
from tests.model.quantise.networks import micro_config, rough_network, smooth_images


def quantise(network: M3ViT, images: int = 12) -> QuantisedModel:
    return export(network, calibrate(network, smooth_images(network.config, images)))


def worst_decibels(network: M3ViT, model: QuantisedModel) -> float:
    """Worst stage of the residual over tasks on unseen images, the float routes imposed."""
    tally = ResidualError(2.0 ** -(model.residual_fraction + 2))
    for image in smooth_images(network.config, 3, seed=99):
        for number, task in enumerate(network.config.task_names):
            exact = run_float(network, image, task)
            plans = exact.plans(network.config.experts)
            evaluate(model, image, number, ResidualWatch(tally, exact.residual), plans)
    return min(tally.decibels().values())


@pytest.mark.parametrize("seed", range(3))
def test_residual_stays_near_the_float_network(seed: int) -> None:
    network = rough_network(micro_config(), seed)
    assert worst_decibels(network, quantise(network)) > 24


@pytest.mark.parametrize("gate", list(GateKind))
def test_gate_logits_follow_for_every_kind(gate: GateKind) -> None:
    network = rough_network(micro_config(gate=gate), 4)
    model = quantise(network)
    for block in network.config.moe_blocks:
        gates = model.blocks[block].gates
        assert len(gates) == 2
        alike = np.array_equal(gates[0].weight, gates[1].weight)
        assert alike == (gate is not GateKind.MULTI)
        assert np.array_equal(gates[0].bias, gates[1].bias) == (gate is not GateKind.CONDITIONED)
    image = smooth_images(network.config, 1, seed=7)[0]
    for number, task in enumerate(network.config.task_names):
        exact = run_float(network, image, task).plans(network.config.experts)
        found = evaluate(model, image, number).plans
        for block, plan in exact.items():
            same = np.sort(plan.per_token()[0]) == np.sort(found[block].per_token()[0])
            assert same.mean() > 0.8


@pytest.mark.parametrize(
    "changes",
    [
        {"experts": 1, "top_k": 1},
        {"experts": 3, "top_k": 3},
        {"moe": False},
        {"blocks": 1, "heads": 4},
        {"expert_ratio": 2, "blocks": 2},
    ],
)
def test_odd_configurations(changes: dict[str, object]) -> None:
    network = rough_network(micro_config(**changes), 1)
    assert worst_decibels(network, quantise(network)) > 24


@torch.no_grad()
def test_dead_channels_and_an_expert_without_tokens() -> None:
    network = rough_network(micro_config(), 2)
    state = network.state_dict()
    state["backbone.blocks.0.attn.qkv.weight"][5:7] = 0
    state["backbone.blocks.0.attn.qkv.bias"][5] = 0
    state["backbone.blocks.0.attn.qkv.weight"][130] = 0
    state["backbone.blocks.2.norm1.weight"][3] = 0
    state["backbone.blocks.2.norm1.bias"][3] = 0
    state["backbone.blocks.2.mlp.fc1.weight"][9] = 0
    state["decoders.depth.conv_1.weight"][4] = 0
    model = quantise(network)
    assert worst_decibels(network, model) > 24
    assert not model.blocks[0].attention.query.weight[5:7].any()


@torch.no_grad()
def test_expert_that_calibration_never_met() -> None:
    network = rough_network(micro_config(), 2)
    ranges = calibrate(network, smooth_images(network.config, 4))
    for name in ("expert_hidden", "expert_out"):
        ranges.entries.pop((name, 1, 2), None)
    expert = export(network, ranges).blocks[1].mlp.experts[2]
    assert not expert.hidden_class.any()
    assert expert.fc1.weight.any() and expert.fc2.weight.any()


def test_binary_score_scale_is_exact() -> None:
    network = rough_network(micro_config(), 3)
    ranges = calibrate(network, smooth_images(network.config, 4))
    attention = export(network, ranges).blocks[0].attention
    weight = network.state_dict()["backbone.blocks.0.attn.qkv.weight"].double().numpy()
    norm = network.state_dict()
    ln = export(network, ranges).blocks[0].norm1
    gamma = norm["backbone.blocks.0.norm1.weight"].double().numpy()
    in_scale = gamma / (ln.gamma * 2.0 ** (10 - ln.shift))
    steps = []
    for part, layer in ((weight[:64], attention.query), (weight[64:128], attention.key)):
        # The scale that the integers imply, from least squares over each head's weights.
        real, code = part * in_scale, layer.weight.astype(float)
        ratio = layer.factor * 2.0**-layer.shift
        implied = (real * code).sum(1) / (code * code).sum(1) / ratio
        steps.append(implied.reshape(2, 32).mean(1))
    product = steps[0] * steps[1] / np.sqrt(32) * 2.0 ** attention.score_shift.astype(float)
    np.testing.assert_allclose(product, SCORE_UNIT, rtol=2e-3)


def collect(seen: dict[tuple[str, int], np.ndarray]) -> Observer:
    def observe(name: str, block: int, value: torch.Tensor, expert: int | None) -> None:
        seen[name, block] = value[0].numpy()

    return observe


def test_heads_follow_on_the_float_features() -> None:
    network = rough_network(micro_config(), 5)
    ranges = calibrate(network, smooth_images(network.config, 12))
    model = export(network, ranges)
    image = smooth_images(network.config, 1, seed=31)[0]
    for number, task in enumerate(network.config.task_names):
        seen: dict[tuple[str, int], np.ndarray] = {}
        with torch.no_grad():
            network(to_tensor(image)[None], task, collect(seen))
        exact = seen["head_logits", HEAD].astype(float)
        x16 = np.floor(seen["out", 3] * 2.0**model.residual_fraction + 0.5).astype(np.int16)
        codes = evaluate_head(model, x16, number)
        found = codes * model.heads[number].logit_scale[:, None, None]
        varying = exact - exact.mean((1, 2), keepdims=True)
        assert 10 * np.log10((varying**2).sum() / ((found - exact) ** 2).sum()) > 24
        assert np.abs(codes.astype(int)).max() < 32767


@torch.no_grad()
def test_weights_that_are_not_finite_are_refused_by_name() -> None:
    network = rough_network(micro_config())
    ranges = calibrate(network, smooth_images(network.config, 1))
    network.state_dict()["backbone.blocks.1.mlp.experts.htoh4.bias"][2, 3] = float("inf")
    with pytest.raises(QuantisationError, match=r"blocks\.1\.mlp\.experts\.htoh4\.bias holds 1"):
        export(network, ranges)


@torch.no_grad()
def test_position_beyond_int16_is_refused_by_name() -> None:
    network = rough_network(micro_config())
    ranges = calibrate(network, smooth_images(network.config, 1))
    network.state_dict()["backbone.pos_embed"][0, 4, 6] = 200.0
    with pytest.raises(QuantisationError, match="position table channel 6"):
        export(network, ranges)


def test_calibration_of_another_network_is_refused() -> None:
    small = rough_network(micro_config(blocks=2))
    ranges = calibrate(small, smooth_images(small.config, 1))
    with pytest.raises(QuantisationError, match="block 2 ln1"):
        export(rough_network(replace(small.config, blocks=4)), ranges)
