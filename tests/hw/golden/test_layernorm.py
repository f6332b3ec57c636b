import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.golden.layernorm import layer_norm, normalise, reciprocal_root, residual_view
from m3vit.hw.quantised import LayerNorm
from tests.support import integer_twin

ROOT_BOUND = 2.0**-12 + 2.0**-16
"""Half an interval of the mantissa, halved by the root, and the rounding of a 16-bit entry."""


def _norm(rng: np.random.Generator, channels: int) -> LayerNorm:
    return LayerNorm(
        gamma=rng.integers(-32767, 32768, channels).astype(np.int16),
        beta=rng.integers(-(1 << 25), 1 << 25, channels).astype(np.int32),
        shift=int(rng.integers(0, 24)),
        epsilon=int(rng.integers(1, 1 << 20)),
    )


def _rows(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Ordinary rows, and: zeros, a constant, one spike, full scale, tiny spread."""
    wild = rng.normal(rng.uniform(-9e3, 9e3), 10 ** rng.uniform(0, 4), (4, channels))
    special = np.zeros((5, channels))
    special[1] = 32767
    special[2, rng.integers(channels)] = -32768
    special[3] = rng.choice([-32768, 32767], channels)
    special[4] = 5 + rng.integers(0, 2, channels)
    return np.clip(np.round(np.concatenate([wild, special])), -32768, 32767).astype(np.int16)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([1, 32, 96, 192, 768, 1536]))
def test_equals_python_integers(seed: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    norm, x = _norm(rng, channels), _rows(rng, channels)
    expected = [integer_twin.layer_norm(row, norm) for row in x.tolist()]
    assert layer_norm(x, norm).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([32, 192, 768]))
def test_normalised_value_is_within_its_bound_of_float64(seed: int, channels: int) -> None:
    x = _rows(np.random.default_rng(seed), channels)
    wide = x.astype(np.float64)
    centred = channels * wide - wide.sum(axis=1, keepdims=True)
    variance = channels * (wide**2).sum(axis=1) - wide.sum(axis=1) ** 2 + 1
    exact = 1024 * centred / np.sqrt(variance)[:, None]
    error = np.abs(normalise(x, 1) - exact)
    assert np.all(error <= 0.5 + np.abs(exact) * ROOT_BOUND)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 32))
def test_output_is_within_its_bound_of_float64_layer_norm(seed: int) -> None:
    """Half a code, and the error of n times gamma."""
    rng = np.random.default_rng(seed)
    x = np.clip(np.round(rng.normal(300, 1000, (20, 192))), -32768, 32767).astype(np.int16)
    gamma, beta = rng.normal(32, 6, 192), rng.normal(0, 10, 192)
    norm = LayerNorm(
        gamma=np.round(gamma * 2.0**8).astype(np.int16),
        beta=np.round(beta * 2.0**18).astype(np.int32),
        shift=18,
        epsilon=round(1e-6 * 192**2 * 4.0**9),
    )
    real = x / 2.0**9
    centred = real - real.mean(axis=1, keepdims=True)
    n = centred / np.sqrt(real.var(axis=1, keepdims=True) + 1e-6)
    exact = np.clip(n * gamma + beta, -128, 127)
    bound = 0.5 + (0.5 / 1024 + np.abs(n) * ROOT_BOUND) * np.abs(gamma) + np.abs(n) * 2.0**-9
    assert np.all(np.abs(layer_norm(x, norm) - exact) <= bound + 1e-3)


@given(st.integers(1, (1 << 53) - 1) | st.sampled_from([1, 2, 3, 4, 1023, 1024, (1 << 53) - 1]))
def test_reciprocal_root_is_within_its_bound(variance: int) -> None:
    root, half = reciprocal_root(np.array([float(variance)]))
    value = root[0] * 2.0 ** -(16 + int(half[0]))
    assert abs(value * np.sqrt(variance) - 1) <= ROOT_BOUND
    assert 32768 <= root[0] <= 65535


@pytest.mark.parametrize(("code", "view"), [(0, 0), (1, 0), (2, 1), (-2, 0), (-3, -1), (5, 1)])
def test_view_rounds_half_up(code: int, view: int) -> None:
    assert residual_view(np.array([[code]], np.int32)).tolist() == [[view]]


def test_view_saturates() -> None:
    view = residual_view(np.array([131071, -131072], np.int32))
    assert (view.tolist(), view.dtype) == ([32767, -32768], np.int16)
