"""Token sort by expert: counts, prefix, placement; stable, without the host seeing a number.

Pairs are cut into blocks.  count: hist[b, e] = pairs of block b that chose e.  prefix: before[b, e]
= sum over b' < b of hist[b', e], and counts[e].  place: pair p of block b goes to
sum_{e' < e} counts[e'] + before[b, e] + (pairs of e before p in its block).
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from m3vit.model.kernels.fused.tiles import power_of_two
from m3vit.model.kernels.interface import Plan

_STEP = 64
"""Blocks that one step of the prefix reads."""

_FEW_BLOCKS = 64
"""Up to so many blocks a program reads all histograms itself, and the prefix needs no launch."""


@triton.jit
def _one_hot(chosen, pairs, BLOCK_P: tl.constexpr, BLOCK_E: tl.constexpr):
    pair = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    expert = tl.load(chosen + pair, mask=pair < pairs, other=BLOCK_E)
    return pair, (expert[:, None] == tl.arange(0, BLOCK_E)[None, :]).to(tl.int32)


@triton.jit
def _count(chosen, hist, pairs, experts, BLOCK_P: tl.constexpr, BLOCK_E: tl.constexpr):
    _, hot = _one_hot(chosen, pairs, BLOCK_P, BLOCK_E)
    number = tl.arange(0, BLOCK_E)
    own = hist + tl.program_id(0) * experts + number
    tl.store(own, tl.sum(hot, 0), mask=number < experts)


@triton.jit
def _prefix(hist, counts, blocks, experts, STEP: tl.constexpr):
    expert = tl.program_id(0)
    total = tl.full((), 0, tl.int32)
    for start in range(0, blocks, STEP):
        block = start + tl.arange(0, STEP)
        cell = hist + block * experts + expert
        count = tl.load(cell, mask=block < blocks, other=0)
        tl.store(cell, total + tl.cumsum(count, 0) - count, mask=block < blocks)
        total += tl.sum(count, 0)
    tl.store(counts + expert, total)


@triton.jit
def _put(order, pair, hot, first, pairs):
    """Every pair to its expert's ``first`` plus its rank in the block among that expert's."""
    rank = tl.cumsum(hot, 0) - hot
    target = tl.sum(hot * (rank + first[None, :]), 1)
    tl.store(order + target, pair, mask=pair < pairs)


@triton.jit
def _place(
    chosen, before, counts, order, pairs, experts, BLOCK_P: tl.constexpr, BLOCK_E: tl.constexpr
):
    pair, hot = _one_hot(chosen, pairs, BLOCK_P, BLOCK_E)
    number = tl.arange(0, BLOCK_E)
    real = number < experts
    count = tl.load(counts + number, mask=real, other=0)
    own = before + tl.program_id(0) * experts + number
    first = tl.cumsum(count, 0) - count + tl.load(own, mask=real, other=0)
    _put(order, pair, hot, first, pairs)


@triton.jit
def _prefix_and_place(
    chosen, hist, counts, order, pairs, blocks, experts,
    BLOCK_P: tl.constexpr, BLOCK_E: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """Both steps at once where every program can read the whole histogram: one launch less."""
    pair, hot = _one_hot(chosen, pairs, BLOCK_P, BLOCK_E)
    number, block = tl.arange(0, BLOCK_E), tl.arange(0, BLOCKS)
    held = (block < blocks)[:, None] & (number < experts)[None, :]
    each = tl.load(hist + block[:, None] * experts + number[None, :], mask=held, other=0)
    count = tl.sum(each, 0)
    before = tl.sum(tl.where((block < tl.program_id(0))[:, None], each, 0), 0)
    if tl.program_id(0) == 0:
        tl.store(counts + number, count, mask=number < experts)
    _put(order, pair, hot, tl.cumsum(count, 0) - count + before, pairs)


def sort_pairs(indices: Tensor, experts: int) -> Plan:
    """See ``m3vit.model.kernels.plain.sort.sort_pairs``."""
    pairs, block_e = indices.numel(), power_of_two(experts)
    block_p = 256 if block_e <= 32 else 64
    blocks = triton.cdiv(pairs, block_p)
    hist = torch.empty(blocks, experts, dtype=torch.int32, device=indices.device)
    counts = torch.empty(experts, dtype=torch.int32, device=indices.device)
    order = torch.empty(pairs, dtype=torch.int32, device=indices.device)
    sizes = {"BLOCK_P": block_p, "BLOCK_E": block_e}
    grid = (blocks,)
    _count[grid](indices, hist, pairs, experts, **sizes)
    if blocks <= _FEW_BLOCKS:
        sizes["BLOCKS"] = power_of_two(blocks)
        _prefix_and_place[grid](indices, hist, counts, order, pairs, blocks, experts, **sizes)
    else:
        _prefix[(experts,)](hist, counts, blocks, experts, STEP=_STEP)
        _place[grid](indices, hist, counts, order, pairs, experts, **sizes)
    return Plan(order, counts)
