"""The evaluation equals a second implementation in Python integers, integer for integer."""

from dataclasses import replace

import numpy as np
import pytest

from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.evaluate import evaluate, evaluate_head
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.routing import RoutingPlan
from tests.support import integer_twin
from tests.support.random_models import random_image, random_model

TASKS = (
    TaskConfig(name="first", kind=TaskKind.SEGMENTATION, channels=3),
    TaskConfig(name="second", kind=TaskKind.DEPTH, channels=1),
)
TINY = ModelConfig(
    name="test",
    image_height=32,
    image_width=48,
    width=32,
    heads=2,
    tasks=TASKS,
    blocks=2,
    mlp_ratio=2,
    experts=4,
    top_k=2,
    head_width=16,
)
VARIANTS = {
    "tiny": TINY,
    "dense": TINY.dense_twin(),
    "one expert": replace(TINY, experts=1, top_k=1),
    "all experts, wide": replace(TINY, experts=3, top_k=3, expert_ratio=2),
    "one patch": replace(TINY, image_height=16, image_width=16),
    "256 experts": replace(TINY, image_width=32, experts=256, top_k=8),
}


@pytest.fixture(scope="module")
def model() -> QuantisedModel:
    return random_model(TINY, 5)


@pytest.mark.parametrize("name", VARIANTS)
def test_equals_python_integers(name: str) -> None:
    config = VARIANTS[name]
    model, image = random_model(config, 1), random_image(config, 2)
    for task in range(2):
        result = evaluate(model, image, task).result
        assert result.dtype == np.int16
        assert result.tolist() == integer_twin.encode(model, image, task)


def test_saturating_residual_equals_python_integers_and_is_counted(model: QuantisedModel) -> None:
    image = random_image(TINY, 3)
    assert sum(evaluate(model, image, 0).saturations.values()) == 0
    loud = replace(model.embedding, factor=np.full(TINY.width, 65535, np.uint16), shift=12)
    saturating = replace(model, embedding=loud)
    outcome = evaluate(saturating, image, 0)
    assert outcome.saturations["embed"] > 0
    assert set(outcome.saturations) == {"embed", "mid 0", "out 0", "mid 1", "out 1"}
    assert outcome.result.tolist() == integer_twin.encode(saturating, image, 0)


def test_keys_and_values_stop_at_minus_127(model: QuantisedModel) -> None:
    first = model.blocks[0]
    loud = {
        name: replace(layer, factor=np.full(TINY.width, 65535, np.uint16), shift=20)
        for name, layer in (("key", first.attention.key), ("value", first.attention.value))
    }
    block = replace(first, attention=replace(first.attention, **loud))
    saturating = replace(model, blocks=(block, model.blocks[1]))
    seen: dict[tuple[str, int], int] = {}
    image = random_image(TINY, 9)
    outcome = evaluate(
        saturating, image, 0, lambda name, n, x: seen.update({(name, n): int(x.min())})
    )
    assert (seen["k", 0], seen["v", 0]) == (-127, -127)
    assert outcome.result.tolist() == integer_twin.encode(saturating, image, 0)


def test_images_and_tasks_leave_nothing_behind(model: QuantisedModel) -> None:
    images = [random_image(TINY, seed) for seed in range(3)]
    first = evaluate(model, images[0], 0).result
    others = [evaluate(model, image, task).result for image in images for task in (1, 0)]
    assert not np.array_equal(others[0], first)
    np.testing.assert_array_equal(evaluate(model, images[0], 0).result, first)
    np.testing.assert_array_equal(evaluate_head(model, first, 1), evaluate_head(model, first, 1))


def test_observer_sees_every_tensor_and_changes_nothing(model: QuantisedModel) -> None:
    seen: dict[tuple[str, int], np.ndarray] = {}
    image = random_image(TINY, 4)
    outcome = evaluate(model, image, 0, lambda name, block, x: seen.update({(name, block): x}))
    np.testing.assert_array_equal(outcome.result, evaluate(model, image, 0).result)
    names = ("ln1", "q", "k", "v", "attention", "mid", "ln2", "hidden", "out")
    assert set(seen) == {("embed", -1)} | {(name, block) for name in names for block in (0, 1)}
    assert seen["hidden", 0].shape == (TINY.tokens, TINY.mlp_hidden)
    assert seen["hidden", 1].shape == (TINY.tokens * TINY.top_k, TINY.expert_hidden)
    assert min(seen["k", 0].min(), seen["v", 0].min()) >= -127
    view = (seen["out", 1].astype(np.int64) + 2) >> 2
    np.testing.assert_array_equal(np.clip(view, -32768, 32767), outcome.result)


def test_imposed_routes_are_followed(model: QuantisedModel) -> None:
    image = random_image(TINY, 6)
    free = evaluate(model, image, 0)
    same = evaluate(model, image, 0, routes=free.plans)
    np.testing.assert_array_equal(same.result, free.result)
    chosen, weights = free.plans[1].per_token()
    other = RoutingPlan.from_choices((chosen + 1) % 4, weights, experts=4)
    moved = evaluate(model, image, 0, routes={1: other})
    assert moved.plans[1] is other
    assert not np.array_equal(moved.result, free.result)


def test_all_tokens_to_one_expert(model: QuantisedModel) -> None:
    image = random_image(TINY, 7)
    gate = model.blocks[1].gates[0]
    loud = replace(gate, bias=np.array([-(1 << 20), 1 << 29, 1 << 28, 0], np.int32))
    block = replace(model.blocks[1], gates=(loud, loud))
    crowded = replace(model, blocks=(model.blocks[0], block))
    outcome = evaluate(crowded, image, 1)
    assert outcome.plans[1].counts.tolist() == [0, TINY.tokens, TINY.tokens, 0]
    assert outcome.result.tolist() == integer_twin.encode(crowded, image, 1)


def test_head_gives_logits_at_eight_times_the_grid(model: QuantisedModel) -> None:
    result = evaluate(model, random_image(TINY, 8), 0).result
    seen: list[tuple[str, int]] = []
    logits = evaluate_head(model, result, 0, lambda name, number, _: seen.append((name, number)))
    assert (logits.dtype, logits.shape) == (np.int16, (3, 16, 24))
    assert evaluate_head(model, result, 1).shape == (1, 16, 24)
    assert seen == [("norm", -1), *(("feature", number) for number in range(4))]


@pytest.mark.parametrize("task", [-1, 2])
def test_unknown_task_is_refused(model: QuantisedModel, task: int) -> None:
    with pytest.raises(ConfigurationError, match="tasks 0 to 1"):
        evaluate(model, random_image(TINY, 0), task)
    with pytest.raises(ConfigurationError, match="tasks 0 to 1"):
        evaluate_head(model, np.zeros((TINY.tokens, TINY.width), np.int16), task)


@pytest.mark.parametrize(
    "image", [np.zeros((48, 32, 3), np.uint8), np.zeros((32, 48, 3), np.int64)]
)
def test_unfit_image_is_refused(model: QuantisedModel, image: np.ndarray) -> None:
    with pytest.raises(ConfigurationError, match=r"expects uint8 \[32, 48, 3\]"):
        evaluate(model, image, 0)


@pytest.mark.parametrize(("tokens", "experts"), [(6, 4), (7, 5)])
def test_unfit_plan_is_refused(model: QuantisedModel, tokens: int, experts: int) -> None:
    choices = np.zeros((tokens, 1), np.int64)
    plan = RoutingPlan.from_choices(choices, choices, experts=experts)
    with pytest.raises(ConfigurationError, match="expected 7 and 4"):
        evaluate(model, random_image(TINY, 0), 0, routes={1: plan})
