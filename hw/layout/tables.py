"""Small tables as they lie in DRAM: LayerNorm parameters, GELU tables, gate columns."""

import numpy as np

from m3vit.hw.formats import GATE_LOW_BITS, Int8, Int16, Int32, UInt16
from m3vit.hw.layout.sizes import GELU_BYTES, LAYERNORM_ENTRY_BYTES
from m3vit.hw.quantised import Gate, LayerNorm, Linear

_ENTRY = np.dtype([("gamma", "<i2"), ("zero", "<i2"), ("beta", "<i4")])
assert _ENTRY.itemsize == LAYERNORM_ENTRY_BYTES

_SHIFT_AT = 8
_SHIFT_MASK = 63
_LOW_HALF = 1 << (GATE_LOW_BITS - 1)


def pack_layernorm(norm: LayerNorm) -> bytes:
    """Eight bytes a channel."""
    entries = np.zeros(norm.gamma.size, _ENTRY)
    entries["gamma"], entries["beta"] = norm.gamma, norm.beta
    return entries.tobytes()


def unpack_layernorm(
    data: bytes | memoryview, channels: int, shift: int, epsilon: int
) -> LayerNorm:
    """Inverse of :func:`pack_layernorm`."""
    entries = np.frombuffer(data, _ENTRY, channels)
    gamma, beta = entries["gamma"].astype(np.int16), entries["beta"].astype(np.int32)
    return LayerNorm(gamma=gamma, beta=beta, shift=shift, epsilon=epsilon)


def pack_gelu(tables: Int8) -> bytes:
    """Class 0, then class 1, each indexed by h + 128."""
    return np.ascontiguousarray(tables, np.int8).tobytes()


def unpack_gelu(data: bytes | memoryview) -> Int8:
    """Inverse of :func:`pack_gelu`."""
    return np.frombuffer(data, np.int8, GELU_BYTES).reshape(2, GELU_BYTES // 2)


def split_high_low(values: Int16 | Int32) -> tuple[Int32, Int32]:
    """``values = 128 * high + low`` with low in [-64, 63]."""
    wide = values.astype(np.int32)
    high = (wide + _LOW_HALF) >> GATE_LOW_BITS
    return high, wide - (high << GATE_LOW_BITS)


def gate_layer(gate: Gate) -> tuple[Linear, UInt16]:
    """The gate as a linear layer of two columns an expert (high, low, high, low ...) and its flags.

    Every record carries the gate's factor, and its shift in the high byte of the flags: a task
    has its own, and the command does not depend on the task.
    """
    experts, width = gate.weight.shape
    weight = np.stack(split_high_low(gate.weight), axis=1).reshape(2 * experts, width)
    bias = np.stack(split_high_low(gate.bias), axis=1).reshape(-1)
    factor = np.full(2 * experts, gate.factor, np.uint16)
    flags = np.full(2 * experts, gate.shift << _SHIFT_AT, np.uint16)
    return Linear(weight=weight.astype(np.int8), bias=bias, factor=factor, shift=0), flags


def join_gate(layer: Linear, flags: UInt16) -> Gate:
    """Inverse of :func:`gate_layer`; the scale is not on the machine and reads 1."""
    pairs = layer.weight.astype(np.int32).reshape(-1, 2, layer.weight.shape[1])
    bias = layer.bias.reshape(-1, 2)
    weight = (pairs[:, 0] << GATE_LOW_BITS) + pairs[:, 1]
    return Gate(
        weight=weight.astype(np.int16),
        bias=(bias[:, 0] << GATE_LOW_BITS) + bias[:, 1],
        factor=int(layer.factor[0]),
        shift=int(flags[0]) >> _SHIFT_AT & _SHIFT_MASK,
        scale=1.0,
    )
