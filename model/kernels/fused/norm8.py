"""Integer LayerNorm, one token a program, equal to ``m3vit.hw.golden.layernorm``.

x = sat16(rshift(x18, 2)); V = C·Σx² - (Σx)² + eps; Y = RSQRT[V]; n = sat16(rshift((C·x - Σx)·Y,
ex + 6)); y = sat8(rshift(n·gamma + beta, s)).
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from m3vit.model.kernels.fused.arithmetic import floor_log2, rshift, saturate, ten_bits
from m3vit.model.kernels.fused.tables import table
from m3vit.model.kernels.fused.tiles import power_of_two
from m3vit.model.kernels.interface import IntegerNorm


@triton.jit
def _kernel(x18, gamma, beta, rsqrt, out, width, shift, epsilon, BLOCK: tl.constexpr):
    first = tl.program_id(0).to(tl.int64) * width
    channel = tl.arange(0, BLOCK)
    live = channel < width
    x = saturate(rshift(tl.load(x18 + first + channel, mask=live, other=0), 2), -32768, 32767)
    total = tl.sum(x, 0)
    variance = width * tl.sum(x * x, 0) - total * total + epsilon
    leading = floor_log2(variance)
    root = tl.load(rsqrt + (leading & 1) * 1024 + ten_bits(variance, leading)).to(tl.int64)
    n = saturate(rshift((x * width - total) * root, (leading >> 1) + 6), -32768, 32767)
    scale = tl.load(gamma + channel, mask=live, other=0).to(tl.int64)
    y = rshift(n * scale + tl.load(beta + channel, mask=live, other=0), shift)
    tl.store(out + first + channel, saturate(y, -128, 127).to(tl.int8), mask=live)


def norm8(x18: Tensor, norm: IntegerNorm) -> Tensor:
    """See ``m3vit.model.kernels.plain.norm8.norm8``."""
    out = torch.empty_like(x18, dtype=torch.int8)
    _kernel[(len(x18),)](
        x18, norm.gamma, norm.beta, table("reciprocal_root", x18.device), out,
        x18.shape[1], norm.shift, norm.epsilon, BLOCK=power_of_two(x18.shape[1]),
    )  # fmt: skip
    return out
