"""Grouped expert products: every expert's rows in one launch, gather, bias, GELU, scatter fused.

expand:    hidden[r] = gelu(x[token(r)] · W1_eᵀ + b1_e), gelu(a) = a/2 · (1 + erf(a/√2))
contract:  out[pair(r)] = w[pair(r)] · (hidden[r] · W2_eᵀ + b2_e)

for sorted row r of expert e.  Sums run in float32.  A program finds its expert from the counts on
the device, so that no launch waits for the host and a CUDA graph can hold any routing.
"""

import triton
import triton.language as tl
from torch import Tensor

from m3vit.model.kernels.fused.tiles import Blocks, locate, power_of_two, tile_bound
from m3vit.model.kernels.fused.tuning import candidates, tuned
from m3vit.model.kernels.interface import FloatLinear, Plan

_ROOT_HALF = tl.constexpr(0.7071067811865476)


@triton.jit
def _kernel(
    x, weight, bias, pair_of, counts, scores, out, outputs, inputs, experts, top_k,
    EXPAND: tl.constexpr, WIDEN: tl.constexpr, BLOCK_E: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    expert, start, stop = locate(counts, tl.program_id(1), experts, BLOCK_E, BLOCK_M)
    if start >= stop:
        return
    row = start + tl.arange(0, BLOCK_M)
    column = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    live, real = row < stop, column < outputs
    pair = tl.load(pair_of + row, mask=live, other=0)
    source = (pair // top_k if EXPAND else row).to(tl.int64)
    first = weight + expert.to(tl.int64) * outputs * inputs
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for step in range(0, inputs, BLOCK_K):
        channel = step + tl.arange(0, BLOCK_K)
        inside = channel < inputs
        left = tl.load(
            x + source[:, None] * inputs + channel[None, :],
            mask=live[:, None] & inside[None, :],
            other=0.0,
        )
        right = tl.load(
            first + column[None, :] * inputs + channel[:, None],
            mask=real[None, :] & inside[:, None],
            other=0.0,
        )
        if WIDEN:
            left, right = left.to(tl.float32), right.to(tl.float32)
        acc = tl.dot(left, right, acc, input_precision="ieee")
    acc += tl.load(bias + expert * outputs + column, mask=real, other=0.0)[None, :]
    if EXPAND:
        acc = 0.5 * acc * (1.0 + tl.erf(acc * _ROOT_HALF))
        target = row.to(tl.int64)
    else:
        acc = acc * tl.load(scores + pair, mask=live, other=0.0)[:, None]
        target = pair.to(tl.int64)
    tl.store(
        out + target[:, None] * outputs + column[None, :],
        acc.to(out.dtype.element_ty),
        mask=live[:, None] & real[None, :],
    )


def _launch(x: Tensor, layer: FloatLinear, plan: Plan, scores: Tensor, top_k: int) -> Tensor:
    """``top_k`` 0: contract (rows of x are already in the plan's order)."""
    rows = len(plan.pairs)
    experts, outputs, inputs = layer.weight.shape
    out = x.new_empty(rows, outputs)
    share = power_of_two(-(-rows // experts))
    key = ("grouped", x.dtype, outputs, inputs, experts, share, top_k > 0)

    def run(blocks: Blocks) -> None:
        grid = (triton.cdiv(outputs, blocks.outputs), tile_bound(rows, experts, blocks.rows))
        _kernel[grid](
            x, layer.weight, layer.bias, plan.pairs, plan.counts, scores, out,
            outputs, inputs, experts, max(1, top_k),
            # the interpreter multiplies bfloat16 bit patterns; float32 holds the same products
            EXPAND=top_k > 0, WIDEN=x.device.type == "cpu", BLOCK_E=power_of_two(experts),
            BLOCK_M=blocks.rows, BLOCK_N=blocks.outputs, BLOCK_K=blocks.inputs,
            num_warps=blocks.warps, num_stages=blocks.stages,
        )  # fmt: skip

    choices = candidates(rows, experts, outputs, x.element_size())
    run(tuned(key, choices, run, x.device))
    return out


def expand(x: Tensor, layer: FloatLinear, plan: Plan, top_k: int) -> Tensor:
    """See ``m3vit.model.kernels.plain.grouped.expand``."""
    return _launch(x, layer, plan, layer.bias, top_k)


def contract(hidden: Tensor, layer: FloatLinear, plan: Plan, weights: Tensor) -> Tensor:
    """See ``m3vit.model.kernels.plain.grouped.contract``."""
    return _launch(hidden, layer, plan, weights, 0).view(*weights.shape, -1)
