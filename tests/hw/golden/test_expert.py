from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.config import ModelConfig
from m3vit.hw.golden.expert import add_dense, add_experts, all_hidden, contributions, weigh
from m3vit.hw.presets import model_preset
from m3vit.hw.quantised import Mlp
from m3vit.hw.routing import RoutingPlan
from tests.support import integer_twin
from tests.support.random_models import random_model

CONFIG: ModelConfig = replace(
    model_preset("nano-scenes"),
    image_height=16,
    image_width=48,
    width=32,
    heads=1,
    blocks=2,
    experts=6,
    top_k=3,
    head_width=16,
)
DENSE, MIXTURE = (block.mlp for block in random_model(CONFIG, 3).blocks)
LARGEST = (1 << 17) - 1


def _inputs(rng: np.random.Generator, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    x18 = rng.integers(-40000, 40000, (tokens, 32)).astype(np.int32)
    return x18, rng.integers(-128, 128, (tokens, 32)).astype(np.int8)


def _plan(rng: np.random.Generator, tokens: int, experts: int = 6) -> RoutingPlan:
    chosen = np.array([rng.permutation(experts)[:3] for _ in range(tokens)])
    weights = rng.integers(0, 65536, chosen.shape)
    weights[0] = 65535
    return RoutingPlan.from_choices(chosen, weights, experts=experts)


def _expected(x18: np.ndarray, h: np.ndarray, mlp: Mlp, plan: RoutingPlan) -> list[list[int]]:
    table, result = mlp.gelu.tolist(), []
    for row, x, chosen, weights in zip(x18.tolist(), h.tolist(), *plan.per_token(), strict=True):
        for e, w in sorted(zip(chosen.tolist(), weights.tolist(), strict=True)):
            y = integer_twin.expert_output(x, mlp.experts[e], table)
            shares = [integer_twin.rshift(v * w, 16 + mlp.guard_bits) for v in y]
            row = integer_twin.add(row, shares)
        result.append(row)
    return result


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([1, 2, 7]))
def test_mixture_equals_python_integers(seed: int, tokens: int) -> None:
    rng = np.random.default_rng(seed)
    (x18, h), plan = _inputs(rng, tokens), _plan(rng, tokens)
    before = x18.copy()
    result, saturations = add_experts(x18, h, MIXTURE, plan)
    assert result.tolist() == _expected(x18, h, MIXTURE, plan)
    assert saturations == 0
    np.testing.assert_array_equal(x18, before)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32))
def test_order_of_experts_does_not_matter_without_saturation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (x18, h), plan = _inputs(rng, 9), _plan(rng, 9)
    parts = list(contributions(h, MIXTURE, plan))
    shuffled = x18.astype(np.int64)
    for index in rng.permutation(len(parts)):
        tokens, contribution = parts[index]
        shuffled[tokens] += contribution
    result, saturations = add_experts(x18, h, MIXTURE, plan)
    assert saturations == 0
    np.testing.assert_array_equal(result, shuffled)


def test_experts_add_in_ascending_order_when_they_saturate() -> None:
    """Full residual: the sum depends on the order, which the contract fixes."""
    rng = np.random.default_rng(4)
    _, h = _inputs(rng, 5)
    loud = replace(MIXTURE, guard_bits=0)
    x18, plan = np.full((5, 32), LARGEST, np.int32), _plan(rng, 5)
    result, saturations = add_experts(x18, h, loud, plan)
    assert saturations > 0
    assert result.tolist() == _expected(x18, h, loud, plan)


def test_all_tokens_to_one_expert() -> None:
    rng = np.random.default_rng(5)
    x18, h = _inputs(rng, 6)
    chosen = np.full((6, 1), 4)
    plan = RoutingPlan.from_choices(chosen, np.full((6, 1), 30000), experts=6)
    assert [len(tokens) for tokens, _ in contributions(h, MIXTURE, plan)] == [6]
    assert add_experts(x18, h, MIXTURE, plan)[0].tolist() == _expected(x18, h, MIXTURE, plan)


def test_dense_mlp_equals_python_integers() -> None:
    x18, h = _inputs(np.random.default_rng(6), 4)
    expected = x18.tolist()
    for chunk in DENSE.experts:
        outputs = [integer_twin.expert_output(x, chunk, DENSE.gelu.tolist()) for x in h.tolist()]
        expected = [integer_twin.add(a, b) for a, b in zip(expected, outputs, strict=True)]
    result, saturations = add_dense(x18, h, DENSE)
    assert (result.tolist(), saturations) == (expected, 0)
    assert add_dense(np.full_like(x18, LARGEST), h, DENSE)[1] > 0


@pytest.mark.parametrize("guard_bits", [0, 6])
@pytest.mark.parametrize("y", [-131072, -1, 0, 1, 131071])
@pytest.mark.parametrize("weight", [0, 1, 32768, 65535])
def test_weighting_equals_python_integers(y: int, weight: int, guard_bits: int) -> None:
    result = weigh(np.full((1, 2), y, np.int32), np.array([weight], np.uint16), guard_bits)
    assert result.tolist() == [[integer_twin.rshift(y * weight, 16 + guard_bits)] * 2]
    assert result.dtype == np.int32


def test_hidden_activations_follow_the_plan() -> None:
    rng = np.random.default_rng(7)
    _, h = _inputs(rng, 4)
    chosen = np.array([[5], [0], [5], [2]])
    plan = RoutingPlan.from_choices(chosen, chosen * 0, experts=6)
    rows = all_hidden(h, MIXTURE, plan)
    apart = [
        all_hidden(h[t : t + 1], MIXTURE, _only(e)) for t, e in ((1, 0), (3, 2), (0, 5), (2, 5))
    ]
    np.testing.assert_array_equal(rows, np.concatenate(apart))
    assert all_hidden(h, DENSE, None).shape == (4, CONFIG.mlp_hidden)


def _only(expert: int) -> RoutingPlan:
    return RoutingPlan.from_choices(np.array([[expert]]), np.array([[0]]), experts=6)
