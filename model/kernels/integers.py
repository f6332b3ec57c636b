"""The contract's integer arithmetic on torch tensors of any device (hw/CONTRACT.md section 1)."""

import torch
from torch import Tensor

from m3vit.hw.formats import RESIDUAL_BITS, TABLE_INDEX_BITS, reciprocal_table
from m3vit.hw.golden.rounding import limits

LOWEST18, HIGHEST18 = limits(RESIDUAL_BITS)


def rshift(values: Tensor, count: int | Tensor) -> Tensor:
    """(values + 2^(count-1)) >> count on int64, half up; ``count`` 0 is the identity."""
    if isinstance(count, int):  # nothing is copied to the device: CUDA graphs cannot hold that
        return (values + ((1 << count) >> 1)) >> count
    amount = count.long()
    half = (torch.ones_like(amount) << amount) >> 1
    return (values + half) >> amount


def floor_log2(values: Tensor) -> Tensor:
    """floor(log2) of positive int64 below 2^53; float64 holds them exactly."""
    return torch.frexp(values.double()).exponent.long() - 1


def ten_bits(values: Tensor, leading: Tensor) -> Tensor:
    """The ten bits below the leading one, zeros where a value has fewer."""
    down = values >> (leading - TABLE_INDEX_BITS).clamp(min=0)
    return (down << (TABLE_INDEX_BITS - leading).clamp(min=0)) & ((1 << TABLE_INDEX_BITS) - 1)


def reciprocal(values: Tensor) -> tuple[Tensor, Tensor]:
    """R and L with 1/D = R * 2^-(16+L), as ``m3vit.hw.golden.reciprocal``."""
    leading = floor_log2(values)
    table = torch.as_tensor(reciprocal_table(), dtype=torch.int64, device=values.device)
    return table[ten_bits(values, leading)], leading


def add18(x18: Tensor, contribution: Tensor) -> tuple[Tensor, Tensor]:
    """sat18(x18 + contribution) and how many elements saturated (int64 scalar tensor)."""
    total = x18 + contribution
    result = total.clamp(LOWEST18, HIGHEST18)
    return result, (result != total).sum()
