"""Integer linear layers, dense or by expert, in one kernel with four endings.

acc = x · Wᵀ + bias in int32; s = rshift(acc · M, n) in int64; then, equal to
``m3vit.hw.golden.linear`` and ``expert``:

CODES:  clamp(s, lowest, 127)             GELU:   table[class · 256 + 128 + that]
SCORES: rshift(sat18(s) · w, 16 + g)      ADD:    sat18(x18 + sat18(s)), saturations counted
"""

from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from m3vit.model.kernels.fused.arithmetic import rshift, saturate
from m3vit.model.kernels.fused.tiles import Blocks, locate, power_of_two, tile_bound
from m3vit.model.kernels.fused.tuning import candidates, tuned
from m3vit.model.kernels.interface import Gelu, IntegerLinear, Plan

CODES, GELU, SCORES, ADD = (tl.constexpr(each) for each in range(4))
_LOW18, _HIGH18 = tl.constexpr(-(1 << 17)), tl.constexpr((1 << 17) - 1)


@triton.jit
def _kernel(
    x, weight, bias, factor, shift, lowest, pair_of, counts, table, classes, scores, residual,
    saturations, out, outputs, inputs, experts, top_k, score_shift,
    ENDING: tl.constexpr, GATHER: tl.constexpr, BLOCK_E: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    expert, start, stop = locate(counts, tl.program_id(1), experts, BLOCK_E, BLOCK_M)
    if start >= stop:
        return
    row = start + tl.arange(0, BLOCK_M)
    column = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    live, real = row < stop, column < outputs
    pair = row
    if GATHER or ENDING == SCORES:
        pair = tl.load(pair_of + row, mask=live, other=0)
    source = (pair // top_k if GATHER else row).to(tl.int64)
    first = weight + expert.to(tl.int64) * outputs * inputs
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.int32)
    for step in range(0, inputs, BLOCK_K):
        channel = step + tl.arange(0, BLOCK_K)
        inside = channel < inputs
        left = tl.load(
            x + source[:, None] * inputs + channel[None, :],
            mask=live[:, None] & inside[None, :],
            other=0,
        )
        right = tl.load(
            first + column[None, :] * inputs + channel[:, None],
            mask=real[None, :] & inside[:, None],
            other=0,
        )
        acc = tl.dot(left, right, acc, out_dtype=tl.int32)
    own = expert * outputs + column
    acc += tl.load(bias + own, mask=real, other=0)[None, :]
    by = tl.load(factor + own, mask=real, other=0).to(tl.int64)
    count = tl.load(shift + column, mask=real, other=1)
    scaled = rshift(acc.to(tl.int64) * by[None, :], count[None, :])
    target = row.to(tl.int64)
    if ENDING == SCORES:
        w = tl.load(scores + pair, mask=live, other=0).to(tl.int64)
        scaled = rshift(saturate(scaled, _LOW18, _HIGH18) * w[:, None], score_shift)
        target = pair.to(tl.int64)
    elif ENDING == ADD:
        at = target[:, None] * outputs + column[None, :]
        held = live[:, None] & real[None, :]
        total = saturate(scaled, _LOW18, _HIGH18) + tl.load(residual + at, mask=held, other=0)
        scaled = saturate(total, _LOW18, _HIGH18)
        lost = tl.sum(tl.sum(((total != scaled) & held).to(tl.int32), 1), 0)
        tl.atomic_add(saturations, lost.to(tl.int64))
    else:
        floor = tl.load(lowest + column, mask=real, other=0).to(tl.int64)
        scaled = saturate(scaled, floor[None, :], 127)
        if ENDING == GELU:
            side = tl.load(classes + own, mask=real, other=0).to(tl.int64)
            scaled = tl.load(table + side[None, :] * 256 + 128 + scaled)
    tl.store(
        out + target[:, None] * outputs + column[None, :],
        scaled.to(out.dtype.element_ty),
        mask=live[:, None] & real[None, :],
    )


def _launch(
    x: Tensor, layer: IntegerLinear, plan: Plan, out: Tensor, ending: tl.constexpr,
    *, top_k: int = 0, gelu: Gelu | None = None, scores: Tensor | None = None,
    score_shift: int = 0, residual: Tensor | None = None, saturations: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Operands that an ending does not read are stood in for by the bias."""
    rows, unused = len(out), layer.bias
    experts, outputs, inputs = layer.weight.shape
    share = power_of_two(-(-rows // experts))
    key = ("grouped8", outputs, inputs, experts, share, ending.value)
    table, classes = gelu if gelu is not None else (unused, unused)

    def run(blocks: Blocks) -> None:
        if saturations is not None:
            saturations.zero_()  # what earlier calls counted while tiles were tuned
        grid = (triton.cdiv(outputs, blocks.outputs), tile_bound(rows, experts, blocks.rows))
        _kernel[grid](
            x, layer.weight, layer.bias, layer.factor, layer.shift, layer.lowest,
            plan.pairs, plan.counts, table, classes,
            unused if scores is None else scores, unused if residual is None else residual,
            unused if saturations is None else saturations, out,
            outputs, inputs, experts, max(1, top_k), score_shift,
            ENDING=ending.value, GATHER=top_k > 0, BLOCK_E=power_of_two(experts),
            BLOCK_M=blocks.rows, BLOCK_N=blocks.outputs, BLOCK_K=blocks.inputs,
            num_warps=blocks.warps, num_stages=blocks.stages,
        )  # fmt: skip

    choices = candidates(rows, experts, outputs, x.element_size())
    run(tuned(key, choices, run, x.device))
    return out


@cache
def _all_rows(rows: int, device: torch.device) -> Plan:
    """Every row to the only expert; its pairs are never read.  Kept: CUDA graphs refer to it."""
    counts = torch.full((1,), rows, dtype=torch.int32, device=device)
    return Plan(counts, counts)


def linear8(x: Tensor, layer: IntegerLinear, gelu: Gelu | None) -> Tensor:
    """See ``m3vit.model.kernels.plain.grouped8.linear8``."""
    out = x.new_empty(len(x), layer.weight.shape[1])
    return _launch(
        x, layer, _all_rows(len(x), x.device), out, CODES if gelu is None else GELU, gelu=gelu
    )


def project8(x: Tensor, layer: IntegerLinear, x18: Tensor) -> tuple[Tensor, Tensor]:
    """See ``m3vit.model.kernels.plain.grouped8.project8``."""
    saturations = torch.empty((), dtype=torch.int64, device=x.device)
    out = torch.empty_like(x18)
    _launch(x, layer, _all_rows(len(x), x.device), out, ADD, residual=x18, saturations=saturations)
    return out, saturations


def expand8(h: Tensor, layer: IntegerLinear, gelu: Gelu, plan: Plan, top_k: int) -> Tensor:
    """See ``m3vit.model.kernels.plain.grouped8.expand8``."""
    out = h.new_empty(len(plan.pairs), layer.weight.shape[1])
    return _launch(h, layer, plan, out, GELU, top_k=top_k, gelu=gelu)


def contract8(
    hidden: Tensor, layer: IntegerLinear, plan: Plan, weights: Tensor, guard_bits: int
) -> Tensor:
    """See ``m3vit.model.kernels.plain.grouped8.contract8``."""
    out = hidden.new_empty(len(hidden), layer.weight.shape[1], dtype=torch.int32)
    _launch(hidden, layer, plan, out, SCORES, scores=weights, score_shift=16 + guard_bits)
    return out.view(*weights.shape, -1)
