"""Multi-head self-attention over all tokens."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m3vit.model.network.context import Context


def _mix(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    # The fused kernel's backward pass is several times slower than three products on a CPU.
    if torch.is_grad_enabled() and q.device.type == "cpu":
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        return torch.matmul(scores.softmax(-1).to(v.dtype), v)
    return F.scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """softmax(Q Kᵀ / sqrt(head_dim)) V per head, then a projection; [B, T, width] throughout.

    Reports ``q``, ``k``, ``v`` (before the scaling) and ``attention`` (heads concatenated, before
    the projection).
    """

    def __init__(self, width: int, heads: int, block: int) -> None:
        super().__init__()
        self.heads = heads
        self.block = block
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        return x.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """See the class."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        for name, value in (("q", q), ("k", k), ("v", v)):
            context.see(name, self.block, value)
        mixed = _mix(self._split(q), self._split(k), self._split(v))
        joined = mixed.transpose(1, 2).reshape(x.shape)
        result: Tensor = self.proj(context.see("attention", self.block, joined))
        return result
