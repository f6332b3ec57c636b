"""Contributions of a token added to its residual: out[t] = residual[t] + sum_r c[t, r].

Summed in float32, ranks ascending, so that the result does not depend on which expert finished
first (atomic additions would).
"""

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _kernel(contributions, residual, out, elements, width, K: tl.constexpr, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = place < elements
    token, channel = place // width, place % width
    total = tl.zeros((BLOCK,), tl.float32)
    for rank in tl.static_range(K):
        at = contributions + (token * K + rank) * width + channel
        total += tl.load(at, mask=live, other=0.0).to(tl.float32)
    total += tl.load(residual + place, mask=live, other=0.0).to(tl.float32)
    tl.store(out + place, total.to(out.dtype.element_ty), mask=live)


def combine(contributions: Tensor, residual: Tensor) -> Tensor:
    """See ``m3vit.model.kernels.plain.grouped.combine``."""
    out, block = torch.empty_like(residual), 1024
    _kernel[(triton.cdiv(residual.numel(), block),)](
        contributions, residual, out, residual.numel(), residual.shape[1],
        K=contributions.shape[1], BLOCK=block,
    )  # fmt: skip
    return out
