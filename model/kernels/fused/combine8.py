"""Contributions of a token added to its residual, experts ascending, saturated after each.

x = sat18(x + c_e) for the token's experts e in ascending order (``m3vit.hw.golden.expert``); what
saturates is counted.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from m3vit.model.kernels.fused.arithmetic import saturate
from m3vit.model.kernels.fused.tiles import power_of_two

_LOW18, _HIGH18 = tl.constexpr(-(1 << 17)), tl.constexpr((1 << 17) - 1)
_BEYOND = tl.constexpr(1 << 20)


@triton.jit
def _kernel(
    contributions, indices, x18, out, saturations, width,
    K: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    channel = tl.arange(0, BLOCK)
    live = channel < width
    rank = tl.arange(0, BLOCK_K)
    expert = tl.load(indices + token * K + rank, mask=rank < K, other=_BEYOND)
    total = tl.load(x18 + token * width + channel, mask=live, other=0)
    lost = tl.zeros((BLOCK,), tl.int32)
    for _ in tl.static_range(K):
        lowest = tl.min(expert, 0)
        which = tl.min(tl.where(expert == lowest, rank, BLOCK_K - 1), 0)
        expert = tl.where(rank == which, _BEYOND, expert)
        at = contributions + (token * K + which) * width + channel
        wide = total + tl.load(at, mask=live, other=0)
        total = saturate(wide, _LOW18, _HIGH18)
        lost += (wide != total).to(tl.int32)
    tl.store(out + token * width + channel, total, mask=live)
    tl.atomic_add(saturations, tl.sum(lost, 0).to(tl.int64))


def combine8(contributions: Tensor, indices: Tensor, x18: Tensor) -> tuple[Tensor, Tensor]:
    """See ``m3vit.model.kernels.plain.grouped8.combine8``."""
    tokens, top_k, width = contributions.shape
    out = torch.empty_like(x18)
    saturations = torch.zeros((), dtype=torch.int64, device=x18.device)
    _kernel[(tokens,)](
        contributions, indices, x18, out, saturations, width,
        K=top_k, BLOCK_K=power_of_two(top_k, 2), BLOCK=power_of_two(width),
    )  # fmt: skip
    return out, saturations
