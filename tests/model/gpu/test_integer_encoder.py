"""The integer encoder equals the layer-by-layer definition, for batches, tasks and both kernels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from m3vit.hw.config import ModelConfig
from m3vit.hw.evaluate import evaluate
from m3vit.hw.golden.embedding import patches
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.routing import RoutingPlan
from m3vit.model.gpu.integer_encoder import IntegerEncoder
from tests.model.kernels.both import BOTH, DEVICE, implementation
from tests.support.packages import MICRO, MICRO_DENSE
from tests.support.random_models import random_image, random_model

WIDER = replace(
    MICRO, name="wider", width=96, heads=3, blocks=4, experts=7, top_k=3, image_width=80
)


def assert_equal(model: QuantisedModel, encoder: IntegerEncoder, task: int, seeds: range) -> None:
    config = model.config
    images = [random_image(config, seed) for seed in seeds]
    tiles = np.stack([patches(image, config.patch) for image in images])
    got = encoder(torch.as_tensor(tiles, device=DEVICE), task)
    lost = 0
    for number, image in enumerate(images):
        expected = evaluate(model, image, task)
        assert np.array_equal(got.result[number].cpu().numpy(), expected.result)
        lost += sum(expected.saturations.values())
        rows = slice(number * config.tokens, (number + 1) * config.tokens)
        for block, routing in got.routings.items():
            plan = RoutingPlan.from_choices(
                routing.indices[rows].cpu().numpy(),
                routing.weights[rows].cpu().numpy(),
                experts=config.experts,
            )
            assert plan.same_as(expected.plans[block])
        assert got.routings.keys() == expected.plans.keys()
    assert int(got.saturations) == lost


@pytest.mark.parametrize("config", [MICRO, MICRO_DENSE, WIDER], ids=lambda config: config.name)
def test_equals_the_definition_for_every_task(config: ModelConfig) -> None:
    model = random_model(config, seed=2)
    encoder = IntegerEncoder(model, DEVICE)
    for task in (0, 3, 0, 4):
        assert_equal(model, encoder, task, range(2))


@BOTH
def test_both_kernels_equal_the_definition(name: str) -> None:
    model = random_model(MICRO, seed=5)
    encoder = IntegerEncoder(model, DEVICE, implementation(name))
    assert_equal(model, encoder, 1, range(3, 5))


def test_images_of_a_batch_do_not_see_each_other() -> None:
    model = random_model(MICRO, seed=6)
    encoder = IntegerEncoder(model, DEVICE)
    tiles = np.stack([patches(random_image(MICRO, seed), MICRO.patch) for seed in range(3)])
    batch = torch.as_tensor(tiles, device=DEVICE)
    together = encoder(batch, 2).result
    for number in range(3):
        assert torch.equal(together[number], encoder(batch[number : number + 1], 2).result[0])
