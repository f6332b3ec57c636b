"""Layers of a quantised model as tensors for the integer kernels."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from m3vit.hw.layout.tables import split_high_low
from m3vit.hw.quantised import Attention, Expert, Gate, LayerNorm, Linear, Mlp
from m3vit.model.kernels.interface import (
    Gelu,
    HeadScales,
    IntegerGate,
    IntegerLinear,
    IntegerNorm,
)

_LOWEST = -128


def tensor(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """``values`` as int8 where they are int8, else as int32."""
    kind = np.int8 if values.dtype == np.int8 else np.int32
    return torch.as_tensor(np.array(values, dtype=kind), device=device)


def pack_linears(
    layers: Sequence[Linear], device: torch.device, lowest: int = _LOWEST
) -> IntegerLinear:
    """Layers of equal shape and shift as one stack, an expert each."""
    outputs = len(layers[0].bias)
    return IntegerLinear(
        weight=tensor(np.stack([layer.weight for layer in layers]), device),
        bias=tensor(np.stack([layer.bias for layer in layers]), device),
        factor=tensor(np.stack([layer.factor for layer in layers]), device),
        shift=tensor(np.full(outputs, layers[0].shift), device),
        lowest=tensor(np.full(outputs, lowest), device),
    )


def join_outputs(layers: Sequence[IntegerLinear]) -> IntegerLinear:
    """Dense layers of the same input side by side: one product instead of several."""
    joined = [
        torch.cat(parts, dim=1 if parts[0].ndim > 1 else 0) for parts in zip(*layers, strict=True)
    ]
    return IntegerLinear(*joined)


def pack_query_key_value(layer: Attention, device: torch.device) -> IntegerLinear:
    """Q, K and V as one layer of 3 d outputs; K and V keep off -128."""
    return join_outputs(
        [
            pack_linears([layer.query], device),
            pack_linears([layer.key], device, -127),
            pack_linears([layer.value], device, -127),
        ]
    )


def pack_scales(layer: Attention, device: torch.device) -> HeadScales:
    """Shifts and gains of all heads."""
    return HeadScales(
        *(
            tensor(each, device)
            for each in (layer.score_shift, layer.output_gain, layer.output_shift)
        )
    )


def pack_norm(norm: LayerNorm, device: torch.device) -> IntegerNorm:
    """LayerNorm's table."""
    return IntegerNorm(
        tensor(norm.gamma, device), tensor(norm.beta, device), int(norm.shift), int(norm.epsilon)
    )


def pack_gate(gate: Gate, device: torch.device) -> IntegerGate:
    """A gate, its 15-bit weights as two int8 matrices."""
    high, low = split_high_low(gate.weight)
    return IntegerGate(
        tensor(high.astype(np.int8), device),
        tensor(low.astype(np.int8), device),
        tensor(gate.bias, device),
        int(gate.factor),
        int(gate.shift),
    )


def pack_gelu(experts: Sequence[Expert], mlp: Mlp, device: torch.device) -> Gelu:
    """The block's two tables, and the class of every hidden unit [E, hidden]."""
    classes = np.stack([expert.hidden_class for expert in experts])
    return Gelu(tensor(mlp.gelu.reshape(-1), device), tensor(classes, device))
