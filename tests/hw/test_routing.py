import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.routing import RoutingPlan


def _choices(seed: int, tokens: int, top_k: int, experts: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    chosen = np.array([rng.permutation(experts)[:top_k] for _ in range(tokens)])
    return chosen, rng.integers(0, 65536, chosen.shape)


@given(
    st.integers(0, 1 << 32),
    st.integers(1, 40),
    st.sampled_from([(1, 1), (1, 5), (4, 16), (8, 8), (8, 256)]),
)
def test_pairs_are_sorted_and_nothing_is_lost(
    seed: int, tokens: int, kind: tuple[int, int]
) -> None:
    top_k, experts = kind
    chosen, weights = _choices(seed, tokens, top_k, experts)
    plan = RoutingPlan.from_choices(chosen, weights, experts=experts)
    pairs = list(zip(plan.experts.tolist(), plan.tokens.tolist(), strict=True))
    assert pairs == sorted(pairs)
    assert (plan.token_count, plan.top_k, len(plan.counts)) == (tokens, top_k, experts)
    back = plan.per_token()
    np.testing.assert_array_equal(back[0], chosen)
    np.testing.assert_array_equal(back[1], weights)


@given(st.integers(0, 1 << 32))
def test_every_expert_finds_its_tokens(seed: int) -> None:
    chosen, weights = _choices(seed, 20, 2, 7)
    plan = RoutingPlan.from_choices(chosen, weights, experts=7)
    for expert in range(7):
        tokens = np.flatnonzero((chosen == expert).any(axis=1))
        assert plan.tokens[plan.pairs(expert)].tolist() == tokens.tolist()
        assert plan.counts[expert] == len(tokens)
    assert plan.live_experts == len(np.unique(chosen))


def test_sameness_needs_equal_pairs_weights_and_experts() -> None:
    chosen, weights = _choices(0, 5, 2, 4)
    plan = RoutingPlan.from_choices(chosen, weights, experts=4)
    assert plan.same_as(RoutingPlan.from_choices(chosen.copy(), weights, experts=4))
    assert not plan.same_as(RoutingPlan.from_choices(chosen, weights, experts=5))
    assert not plan.same_as(RoutingPlan.from_choices(chosen[:, ::-1], weights, experts=4))
    assert not plan.same_as(RoutingPlan.from_choices(chosen, weights ^ 1, experts=4))
    assert not plan.same_as(RoutingPlan.from_choices(chosen[:4], weights[:4], experts=4))


@pytest.mark.parametrize(
    ("chosen", "weights", "experts", "message"),
    [
        ([[0, 0]], [[1, 1]], 4, "repeated experts"),
        ([[0, 4]], [[1, 1]], 4, "expert is 0 to 4, expected 0 to 3"),
        ([[-1, 2]], [[1, 1]], 4, "expert is -1 to 2"),
        ([[0, 1]], [[1, 65536]], 4, "weight is 1 to 65536"),
        ([[0, 1]], [[1]], 4, "shape"),
        ([0, 1], [1, 1], 4, "shape"),
        ([[]], [[]], 4, "shape"),
        ([[0]], [[0]], 257, "number of experts is 257"),
    ],
)
def test_invalid_choices_are_refused(
    chosen: list[object], weights: list[object], experts: int, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RoutingPlan.from_choices(np.array(chosen), np.array(weights), experts=experts)
