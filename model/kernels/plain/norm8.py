"""Integer LayerNorm in plain torch; equal to ``m3vit.hw.golden.layernorm``."""

import torch
from torch import Tensor

from m3vit.hw.formats import (
    LAYERNORM_FRACTION_BITS,
    RESIDUAL_GUARD_BITS,
    TABLE_INDEX_BITS,
    reciprocal_root_table,
)
from m3vit.model.kernels.integers import floor_log2, rshift, ten_bits
from m3vit.model.kernels.interface import IntegerNorm


def view16(x18: Tensor) -> Tensor:
    """sat16(rshift(x18, 2)) as int64: what LayerNorm reads and what the result is."""
    return rshift(x18.long(), RESIDUAL_GUARD_BITS).clamp(-32768, 32767)


def norm8(x18: Tensor, norm: IntegerNorm) -> Tensor:
    """int8 [N, d] of the residual x18 int32 [N, d]."""
    x, channels = view16(x18), x18.shape[1]
    total, squares = x.sum(1, keepdim=True), (x * x).sum(1, keepdim=True)
    variance = channels * squares - total * total + norm.epsilon
    leading = floor_log2(variance)
    table = torch.as_tensor(reciprocal_root_table(), dtype=torch.int64, device=x.device)
    root = table[((leading & 1) << TABLE_INDEX_BITS) + ten_bits(variance, leading)]
    shift = (leading >> 1) + 16 - LAYERNORM_FRACTION_BITS
    n = rshift((channels * x - total) * root, shift).clamp(-32768, 32767)
    y = rshift(n * norm.gamma + norm.beta, norm.shift)
    return y.clamp(-128, 127).to(torch.int8)
