"""The random models that other tests build on are valid and keep their activations alive."""

from dataclasses import replace

import numpy as np
import pytest

from m3vit.hw.config import ModelConfig
from m3vit.hw.evaluate import evaluate, evaluate_head
from m3vit.hw.formats import ACCUMULATOR_LIMIT, GATE_LOW_BITS, SHIFT_LIMIT, WEIGHT_LIMIT
from m3vit.hw.presets import model_preset
from m3vit.hw.quantised import Convolution, Linear, QuantisedModel
from tests.support.random_models import random_image, random_model

CONFIGS = {
    "nano": replace(model_preset("nano-scenes"), blocks=2),
    "tiny, wide experts": replace(model_preset("tiny-cityscapes-k2"), blocks=2, head_width=32),
    "dense twin": replace(model_preset("nano-scenes"), blocks=2).dense_twin(),
    "one patch, many experts": replace(
        model_preset("nano-scenes"),
        image_height=16,
        image_width=16,
        blocks=2,
        experts=256,
        top_k=8,
        head_width=16,
    ),
}


def _linears(model: QuantisedModel) -> list[Linear]:
    layers = [model.embedding]
    for block in model.blocks:
        a = block.attention
        layers += [a.query, a.key, a.value, a.proj]
        layers += [layer for e in block.mlp.experts for layer in (e.fc1, e.fc2)]
    return layers


def _bound(layer: Linear | Convolution, largest: int) -> int:
    flat = layer.weight.reshape(len(layer.weight), -1).astype(np.int64)
    bias = np.abs(layer.bias.astype(np.int64))
    return int((np.abs(flat).sum(axis=1) * largest + bias).max())


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_models_keep_the_bounds_of_the_contract(config: ModelConfig) -> None:
    model = random_model(config, 11)
    for layer in _linears(model):
        assert np.abs(layer.weight.astype(int)).max() <= WEIGHT_LIMIT
        assert _bound(layer, 128) < ACCUMULATOR_LIMIT
        assert 1 <= layer.shift <= SHIFT_LIMIT
        assert layer.factor.min() >= 1
    for layer in (c for head in model.heads for c in head.convolutions):
        assert _bound(layer, 255) * (16 if layer.upsampled else 1) < 1 << 31
    for gate in (gate for block in model.blocks for gate in block.gates):
        low = ((gate.weight + 64) & 127) - 64
        assert np.abs((gate.weight - low) >> GATE_LOW_BITS).max() <= WEIGHT_LIMIT
        assert 1 <= gate.factor < 1 << 16


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_activations_neither_vanish_nor_saturate(config: ModelConfig) -> None:
    model = random_model(config, 12)
    seen: dict[tuple[str, int], np.ndarray] = {}
    outcome = evaluate(model, random_image(config, 13), 0, lambda n, b, x: seen.update({(n, b): x}))
    assert sum(outcome.saturations.values()) == 0
    for (name, _), x in seen.items():
        if x.dtype == np.int8 and name != "hidden":
            assert np.mean(np.abs(x.astype(int)) >= 127) < 0.15, name
            assert x.std() > 8, name
    assert len(np.unique(seen["hidden", 0])) > 100
    logits = evaluate_head(model, outcome.result, 0)
    assert logits.std() > 100
    assert np.mean(np.abs(logits.astype(int)) >= 32767) < 0.01


def test_the_seed_decides() -> None:
    config = CONFIGS["nano"]
    image = random_image(config, 1)
    results = [evaluate(random_model(config, seed), image, 0).result for seed in (1, 1, 2)]
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
    assert not np.array_equal(image, random_image(config, 2))
