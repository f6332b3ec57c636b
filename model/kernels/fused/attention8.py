"""Integer attention of one head and a block of queries, equal to ``m3vit.hw.golden.attention``.

First pass: m = max_k sat10(rshift(q·k, n)).  Second pass over keys, 32 at a time, one a chain:
e = EXP[δ & 15] >> (δ >> 4), δ = min(255, m - s); t = r + e; p = t >> 8; r = t & 255; acc +=
(p - 128)·v + 128·v; D += p.  Then F = (R·G + 2^15) >> 16, o = sat8(rshift(acc·F, 15 + L - a)).
Scores never leave the chip, so memory grows with T, not T².
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from m3vit.hw.formats import CHAINS
from m3vit.model.kernels.fused.arithmetic import floor_log2, rshift, saturate, ten_bits
from m3vit.model.kernels.fused.tables import table
from m3vit.model.kernels.fused.tiles import power_of_two
from m3vit.model.kernels.interface import HeadScales


@triton.jit
def _scores(queries, keys, key, live, dim, tokens, stride, shift):
    """Scores int64 [M, keys] of queries [M, dh] against the keys numbered ``key``."""
    at = keys + key[None, :].to(tl.int64) * stride + dim[:, None]
    k = tl.load(at, mask=live[:, None] & (key < tokens)[None, :], other=0)
    return saturate(rshift(tl.dot(queries, k, out_dtype=tl.int32), shift), -512, 511)


@triton.jit
def _kernel(
    q, k, v, out, score_shift, gain, output_shift, exp, recip, tokens, heads, size,
    BLOCK_M: tl.constexpr, BLOCK_D: tl.constexpr, CHAIN: tl.constexpr,
):  # fmt: skip
    head, stride = tl.program_id(1) % heads, heads * size
    first = (tl.program_id(1) // heads).to(tl.int64) * tokens * stride + head * size
    query = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    dim, lane = tl.arange(0, BLOCK_D), tl.arange(0, CHAIN)
    live = dim < size
    own = first + query[:, None].to(tl.int64) * stride + dim[None, :]
    held = (query < tokens)[:, None] & live[None, :]
    queries = tl.load(q + own, mask=held, other=0)
    shift = tl.load(score_shift + head)
    top = tl.full((BLOCK_M,), -512, tl.int64)
    for start in range(0, tokens, CHAIN):
        key = start + lane
        s = _scores(queries, k + first, key, live, dim, tokens, stride, shift)
        top = tl.maximum(top, tl.max(tl.where((key < tokens)[None, :], s, -512), 1))
    rest = tl.full((BLOCK_M, CHAIN), 128, tl.int32)
    acc = tl.zeros((BLOCK_M, BLOCK_D), tl.int32)
    values, total = tl.zeros((BLOCK_D,), tl.int32), tl.zeros((BLOCK_M,), tl.int32)
    for start in range(0, tokens, CHAIN):
        key = start + lane
        inside = key < tokens
        s = _scores(queries, k + first, key, live, dim, tokens, stride, shift)
        delta = saturate(top[:, None] - s, 0, 255).to(tl.int32)
        e = tl.load(exp + (delta & 15)) >> (delta >> 4)
        rest += tl.where(inside[None, :], e, 0)
        p = rest >> 8
        rest = rest & 255
        at = v + first + key[:, None].to(tl.int64) * stride + dim[None, :]
        value = tl.load(at, mask=inside[:, None] & live[None, :], other=0)
        acc = tl.dot((p - 128).to(tl.int8), value, acc, out_dtype=tl.int32)
        values += tl.sum(value.to(tl.int32), 0)
        total += tl.sum(p, 1)
    leading = floor_log2(total)
    inverse = tl.load(recip + ten_bits(total, leading)).to(tl.int64)
    factor = (inverse * tl.load(gain + head) + (1 << 15)) >> 16
    wide = (acc + 128 * values[None, :]).to(tl.int64) * factor[:, None]
    count = 15 + leading - tl.load(output_shift + head)
    tl.store(out + own, saturate(rshift(wide, count[:, None]), -128, 127).to(tl.int8), mask=held)


def attention8(q: Tensor, k: Tensor, v: Tensor, scales: HeadScales) -> Tensor:
    """See ``m3vit.model.kernels.plain.attention8.attention8``; operands are made contiguous."""
    batch, tokens, heads, size = q.shape
    q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    out = torch.empty_like(q)
    block_m = min(64, power_of_two(tokens))
    _kernel[(triton.cdiv(tokens, block_m), batch * heads)](
        q, k, v, out, scales.score_shift, scales.gain, scales.output_shift,
        table("exponential", q.device), table("reciprocal", q.device), tokens, heads, size,
        BLOCK_M=block_m, BLOCK_D=power_of_two(size, 32), CHAIN=CHAINS,
    )  # fmt: skip
    return out
