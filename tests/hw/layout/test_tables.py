"""Tables survive the way through memory; gate weights split exactly into two int8 columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.layout.tables import (
    gate_layer,
    join_gate,
    pack_gelu,
    pack_layernorm,
    split_high_low,
    unpack_gelu,
    unpack_layernorm,
)
from m3vit.hw.quantised import Gate, LayerNorm


@given(st.integers(1, 64), st.integers(0, 2**32))
def test_layernorm_table(channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    norm = LayerNorm(
        gamma=rng.integers(-(2**15), 2**15, channels).astype(np.int16),
        beta=rng.integers(-(2**31), 2**31, channels).astype(np.int32),
        shift=18,
        epsilon=77,
    )
    again = unpack_layernorm(pack_layernorm(norm), channels, norm.shift, norm.epsilon)
    assert np.array_equal(norm.gamma, again.gamma) and np.array_equal(norm.beta, again.beta)
    assert (again.shift, again.epsilon) == (18, 77)


def test_gelu_table() -> None:
    tables = np.random.default_rng(0).integers(-128, 128, (2, 256)).astype(np.int8)
    assert np.array_equal(unpack_gelu(pack_gelu(tables)), tables)


def test_every_15_bit_weight_splits() -> None:
    values = np.arange(-127 * 128 - 64, 127 * 128 + 64, dtype=np.int32)
    high, low = split_high_low(values)
    assert np.array_equal(128 * high + low, values)
    assert high.min() == -127 and high.max() == 127
    assert low.min() == -64 and low.max() == 63


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_gate_columns(experts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gate = Gate(
        weight=rng.integers(-16320, 16320, (experts, 32)).astype(np.int16),
        bias=rng.integers(-(2**30), 2**30, experts).astype(np.int32),
        factor=40000,
        shift=21,
        scale=1.0,
    )
    layer, flags = gate_layer(gate)
    again = join_gate(layer, flags)
    assert np.array_equal(again.weight, gate.weight) and np.array_equal(again.bias, gate.bias)
    assert (again.factor, again.shift) == (gate.factor, gate.shift)
    assert np.abs(layer.bias).max() < 1 << 26
