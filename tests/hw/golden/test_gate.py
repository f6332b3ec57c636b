from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.formats import GATE_UNIT
from m3vit.hw.golden.gate import gate_scores, logits, route, top_experts
from m3vit.hw.quantised import Gate
from tests.support import integer_twin

SIZES = st.sampled_from([(1, 1), (2, 1), (2, 2), (16, 4), (24, 8), (256, 8)])


def _gate(rng: np.random.Generator, experts: int, width: int = 32) -> Gate:
    return Gate(
        weight=rng.integers(-16320, 16320, (experts, width)).astype(np.int16),
        bias=rng.integers(-(1 << 24), 1 << 24, experts).astype(np.int32),
        factor=int(rng.integers(1 << 14, 1 << 16)),
        shift=int(rng.integers(24, 33)),
        scale=1.0,
    )


def _tokens(rng: np.random.Generator, count: int = 6, width: int = 32) -> np.ndarray:
    return rng.integers(-128, 128, (count, width)).astype(np.int8)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), SIZES)
def test_plan_equals_python_integers(seed: int, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    gate, h = _gate(rng, sizes[0]), _tokens(rng)
    z = logits(h, gate)
    assert z.tolist() == [integer_twin.logits(row, gate) for row in h.tolist()]
    chosen, weights = route(h, gate, sizes[1]).per_token()
    expected = [integer_twin.route(row, gate, sizes[1]) for row in z.tolist()]
    pairs = np.stack([chosen, weights], axis=-1)
    assert [[tuple(pair) for pair in row] for row in pairs.tolist()] == expected


@given(
    st.lists(
        st.lists(st.sampled_from([-(1 << 31), -1, 0, 1, (1 << 31) - 1]), min_size=9, max_size=9),
        min_size=1,
        max_size=5,
    )
)
def test_ties_and_extremes_go_to_the_lower_index(rows: list[list[int]]) -> None:
    gate = _gate(np.random.default_rng(0), 9)
    z = np.array(rows, dtype=np.int32)
    expected = [[e for e, _ in integer_twin.route(row, gate, 8)] for row in rows]
    assert top_experts(z, 8).tolist() == expected
    scores = gate_scores(z, gate)
    for row, weights in zip(rows, scores.tolist(), strict=True):
        assert all(weights[e] == w for e, w in integer_twin.route(row, gate, 8))


def test_equal_logits_choose_the_first_experts_with_equal_weight() -> None:
    gate = replace(_gate(np.random.default_rng(0), 16), weight=np.zeros((16, 32), np.int16))
    gate = replace(gate, bias=np.full(16, 77, np.int32))
    plan = route(_tokens(np.random.default_rng(1)), gate, 4)
    chosen, weights = plan.per_token()
    assert chosen.tolist() == [[0, 1, 2, 3]] * 6
    assert set(plan.counts.tolist()) == {0, 6}
    assert np.abs(weights / 65536 - 1 / 16).max() <= 2.0**-11 / 16 + 2.0**-16


def test_single_expert_takes_everything() -> None:
    rng = np.random.default_rng(2)
    plan = route(_tokens(rng), _gate(rng, 1), 1)
    assert plan.weights.tolist() == [65535] * 6
    assert plan.experts.tolist() == [0] * 6


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), SIZES)
def test_scores_are_within_their_bound_of_float64_softmax(
    seed: int, sizes: tuple[int, int]
) -> None:
    """Rounding of both differences to ln2/64, the reciprocal, and what a 16-bit entry keeps."""
    rng = np.random.default_rng(seed)
    gate = replace(_gate(rng, sizes[0]), factor=40000, shift=32)
    z = rng.integers(-(1 << 25), 1 << 25, (8, sizes[0])).astype(np.int32)
    unit = gate.factor * 2.0**-gate.shift * GATE_UNIT
    differences = z - z.max(axis=1, keepdims=True).astype(np.float64)
    e = np.exp(differences * unit)
    exact = e / e.sum(axis=1, keepdims=True)
    relative = GATE_UNIT * 1.02 + 2.0**-11 + 2.0**-15
    lost = 1.5 * sizes[0] / 65535
    error = np.abs(gate_scores(z, gate) / 65536 - exact)
    assert np.all(error <= exact * (relative + lost) + 3 / 65536)


@given(st.integers(0, 1 << 32), SIZES)
def test_scores_of_all_experts_sum_to_one(seed: int, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    z = rng.integers(-(1 << 30), 1 << 30, (4, sizes[0])).astype(np.int32)
    total = gate_scores(z, _gate(rng, sizes[0])).sum(axis=1, dtype=np.int64) / 65536
    assert np.all(np.abs(total - 1) <= 2.0**-11 + sizes[0] * 2.0**-16 + 2.0**-14)


@pytest.mark.parametrize("width", [32, 768])
def test_largest_logits_fit_int32(width: int) -> None:
    weight = np.full((2, width), 16319, np.int16)
    weight[1] = -16320
    gate = replace(_gate(np.random.default_rng(0), 2, width), weight=weight)
    h = np.full((1, width), -128, np.int8)
    assert logits(h, gate).tolist() == [integer_twin.logits(h[0].tolist(), gate)]
