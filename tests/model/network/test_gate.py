"""The gate's choice, its weights and its losses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from m3vit.model.network.gate import Gate, balance, choose, cv_squared, expected_load, indecision

LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(2, 9)),
    elements=st.integers(-3, 3).map(float),
)


@settings(deadline=None)
@given(LOGITS, st.integers(1, 9))
def test_largest_first_and_ties_to_the_lower_index(values: np.ndarray, top_k: int) -> None:
    top_k = min(top_k, values.shape[1])
    routing = choose(torch.from_numpy(values), top_k)
    for row, chosen in zip(values, routing.indices.tolist(), strict=True):
        expected = sorted(range(len(row)), key=lambda e: (-row[e], e))[:top_k]
        assert chosen == expected


@settings(deadline=None)
@given(LOGITS)
def test_weights_are_shares_of_all_experts_not_renormalised(values: np.ndarray) -> None:
    logits = torch.from_numpy(values).double()
    routing = choose(logits, 1)
    shares = torch.exp(logits) / torch.exp(logits).sum(-1, keepdim=True)
    torch.testing.assert_close(routing.weights[:, 0], shares.max(-1).values)
    whole = choose(logits, values.shape[1]).weights.sum(-1)
    torch.testing.assert_close(whole, torch.ones_like(whole))


def test_logits_that_differ_only_below_the_softmax_are_told_apart() -> None:
    logits = torch.tensor([[30.0, 30.0 + 4e-6, -80.0, -79.0]])
    assert choose(logits, 4).indices.tolist() == [[1, 0, 3, 2]]


def test_gate_has_no_bias_and_stays_in_full_precision() -> None:
    gate = Gate(64, 8)
    x = torch.randn(3, 64)
    with torch.autocast("cpu", torch.bfloat16):
        logits = gate(x)
    assert torch.equal(logits, x @ gate.w_gate)
    assert torch.equal(gate(torch.zeros(1, 64)), torch.zeros(1, 8))


def test_gate_starts_as_the_original_does() -> None:
    values = Gate(2000, 16).w_gate.detach()
    assert values.abs().max() <= 0.25
    assert values.std() == pytest.approx(0.25 / 3**0.5, rel=0.03)


def test_cv_squared_by_hand() -> None:
    assert float(cv_squared(torch.tensor([1.0, 3.0]))) == pytest.approx(2 / 4)
    assert float(cv_squared(torch.tensor([2.0, 2.0, 2.0]))) == 0
    assert float(cv_squared(torch.tensor([5.0]))) == 0


def test_balance_without_noise_is_importance_and_counts() -> None:
    logits = torch.tensor([[[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]]], dtype=torch.float64)
    routing = choose(logits, 2)
    share = torch.softmax(torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64), 0)
    importance = torch.stack((2 * share[0], share[1], share[1]))
    expected = importance.var() / importance.mean() ** 2 + torch.tensor([2.0, 1, 1]).var() / (
        (4 / 3) ** 2
    )
    assert float(balance(logits, logits, routing, 0.0)) == pytest.approx(float(expected))


def test_equal_use_of_all_experts_costs_nothing() -> None:
    logits = torch.eye(4).unsqueeze(0) * 3
    assert float(balance(logits, logits, choose(logits, 1), 0.0)) == pytest.approx(0, abs=1e-9)


def test_expected_load_is_the_frequency_under_new_noise() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 6, dtype=torch.float64).expand(40000, 6)
    noisy = logits + 0.7 * torch.randn_like(logits)
    load = expected_load(logits, noisy, 2, 0.7)
    counts = torch.bincount(choose(noisy, 2).indices.flatten(), minlength=6)
    # Each of the 40,000 tokens is one draw: three standard deviations of a count are below 300.
    torch.testing.assert_close(load, counts.double(), rtol=0, atol=300)


def test_load_has_a_gradient_only_with_noise() -> None:
    logits = torch.randn(1, 50, 4, requires_grad=True)
    noisy = logits + 0.1 * torch.randn_like(logits)
    (grad,) = torch.autograd.grad(expected_load(logits, noisy, 2, 0.1).var(), logits)
    assert float(grad.abs().sum()) > 0


def test_indecision_is_zero_for_clear_choices_and_ignores_scale() -> None:
    clear = torch.tensor([[9.0, 9.0, -9.0, -9.0], [-9.0, 9.0, -9.0, 9.0]])
    assert float(indecision(clear, 2)) == 0
    logits = torch.randn(30, 5)
    assert float(indecision(logits, 2)) == pytest.approx(float(indecision(7 * logits, 2)), rel=1e-5)
    assert float(indecision(torch.tensor([[1.0, 0.0, 0.0]]), 2)) == 1
    assert float(indecision(logits, 5)) == 0
