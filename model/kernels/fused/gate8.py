"""The integer gate in one kernel, equal to ``m3vit.hw.golden.gate``.

z = 128·(h·hi) + h·lo + bias; top-K by z, lower index on ties; δ = min(1023, rshift(min(zmax - z,
2^26 - 1)·M, n)); x = GEXP[δ & 63] >> (δ >> 6); w = min(65535, rshift(x·R, L)), R, L = 1/Σx.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from m3vit.model.kernels.fused.arithmetic import floor_log2, rshift, ten_bits
from m3vit.model.kernels.fused.tables import table
from m3vit.model.kernels.fused.tiles import power_of_two
from m3vit.model.kernels.interface import IntegerGate, Routing

_LOWEST = tl.constexpr(-(1 << 40))


@triton.jit
def _scores(z, real, factor, shift, gexp, recip):
    difference = tl.minimum(tl.max(z, 1)[:, None] - z, (1 << 26) - 1)
    delta = tl.minimum(rshift(difference * factor, shift), 1023)
    x = tl.load(gexp + (delta & 63)).to(tl.int64) >> (delta >> 6)
    x = tl.where(real[None, :], x, 0)
    total = tl.sum(x, 1)
    leading = floor_log2(total)
    inverse = tl.load(recip + ten_bits(total, leading)).to(tl.int64)
    return tl.minimum(rshift(x * inverse[:, None], leading[:, None]), 65535)


@triton.jit
def _kernel(
    h, high, low, bias, indices, weights, gexp, recip, tokens, width, experts, factor, shift,
    K: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    number = tl.arange(0, BLOCK_E)
    live, real = row < tokens, number < experts
    upper = tl.zeros((BLOCK_M, BLOCK_E), tl.int32)
    lower = tl.zeros((BLOCK_M, BLOCK_E), tl.int32)
    for start in range(0, width, BLOCK_D):
        channel = start + tl.arange(0, BLOCK_D)
        inside = channel < width
        at = number[None, :] * width + channel[:, None]
        held = real[None, :] & inside[:, None]
        part = tl.load(
            h + row[:, None] * width + channel[None, :],
            mask=live[:, None] & inside[None, :],
            other=0,
        )
        upper = tl.dot(part, tl.load(high + at, mask=held, other=0), upper, out_dtype=tl.int32)
        lower = tl.dot(part, tl.load(low + at, mask=held, other=0), lower, out_dtype=tl.int32)
    z = (upper * 128 + lower + tl.load(bias + number, mask=real, other=0)[None, :]).to(tl.int64)
    z = tl.where(real[None, :], z, _LOWEST)
    w = _scores(z, real, factor, shift, gexp, recip)
    for rank in tl.static_range(K):
        best = tl.max(z, 1)
        index = tl.min(tl.where(z == best[:, None], number[None, :], BLOCK_E - 1), 1)
        mine = number[None, :] == index[:, None]
        tl.store(indices + row * K + rank, index, mask=live)
        chosen = tl.sum(tl.where(mine, w, 0), 1).to(tl.int32)
        tl.store(weights + row * K + rank, chosen, mask=live)
        z = tl.where(mine, _LOWEST, z)


def route8(h: Tensor, gate: IntegerGate, top_k: int) -> Routing:
    """See ``m3vit.model.kernels.plain.gate8.route8``."""
    (tokens, width), experts = h.shape, len(gate.high)
    indices = torch.empty(tokens, top_k, dtype=torch.int32, device=h.device)
    weights = torch.empty_like(indices)
    block_e = power_of_two(experts)
    block_m = 32 if block_e <= 32 else 16
    _kernel[(triton.cdiv(tokens, block_m),)](
        h, gate.high, gate.low, gate.bias, indices, weights,
        table("gate_exponential", h.device), table("reciprocal", h.device),
        tokens, width, experts, gate.factor, gate.shift,
        K=top_k, BLOCK_M=block_m, BLOCK_E=block_e, BLOCK_D=32,
    )  # fmt: skip
    return Routing(indices, weights)
