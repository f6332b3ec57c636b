"""The gate in one kernel: logits, softmax over all experts, top-K.

z = x · Wᵀ + b in float32; rank r takes the largest z not yet taken, of equal ones the lowest
index; w_r = exp(z_r - max z) / sum_e exp(z_e - max z), not renormalised over the K taken.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from m3vit.model.kernels.fused.tiles import power_of_two
from m3vit.model.kernels.interface import Routing


@triton.jit
def take_best(z, taken, number, BLOCK_E: tl.constexpr):
    """Index [M] and value [M] of the largest entry not taken; lowest index on ties."""
    open_z = tl.where(taken, float("-inf"), z)
    best = tl.max(open_z, 1)
    candidate = (open_z == best[:, None]) & (taken == 0)
    index = tl.min(tl.where(candidate, number[None, :], BLOCK_E - 1), 1)
    return index, best


@triton.jit
def _kernel(
    x, weight, bias, indices, weights, tokens, width, experts,
    K: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    number = tl.arange(0, BLOCK_E)
    live, real = row < tokens, number < experts
    z = tl.zeros((BLOCK_M, BLOCK_E), tl.float32)
    for start in range(0, width, BLOCK_D):
        channel = start + tl.arange(0, BLOCK_D)
        inside = channel < width
        part = tl.load(
            x + row[:, None] * width + channel[None, :],
            mask=live[:, None] & inside[None, :],
            other=0.0,
        )
        gate = tl.load(
            weight + number[None, :] * width + channel[:, None],
            mask=real[None, :] & inside[:, None],
            other=0.0,
        )
        z = tl.dot(part.to(tl.float32), gate, z, input_precision="ieee")
    z += tl.load(bias + number, mask=real, other=0.0)[None, :]
    z = tl.where(real[None, :], z, float("-inf"))
    top = tl.max(z, 1)
    total = tl.sum(tl.exp(z - top[:, None]), 1)
    taken = (number >= experts)[None, :] & (row >= 0)[:, None]
    for rank in tl.static_range(K):
        index, best = take_best(z, taken, number, BLOCK_E)
        taken = taken | (number[None, :] == index[:, None])
        # NaN equals nothing: an index inside the experts keeps what follows inside their weights
        tl.store(indices + row * K + rank, tl.minimum(index, experts - 1), mask=live)
        tl.store(weights + row * K + rank, tl.exp(best - top) / total, mask=live)


def route(x: Tensor, weight: Tensor, bias: Tensor, top_k: int) -> Routing:
    """See ``m3vit.model.kernels.plain.gate.route``."""
    (tokens, width), experts = x.shape, len(weight)
    indices = torch.empty(tokens, top_k, dtype=torch.int32, device=x.device)
    weights = torch.empty(tokens, top_k, dtype=torch.float32, device=x.device)
    block_e = power_of_two(experts)
    block_m = 64 if block_e <= 32 else 16
    _kernel[(triton.cdiv(tokens, block_m),)](
        x, weight, bias, indices, weights, tokens, width, experts,
        K=top_k, BLOCK_M=block_m, BLOCK_E=block_e, BLOCK_D=32,
    )  # fmt: skip
    return Routing(indices, weights)
