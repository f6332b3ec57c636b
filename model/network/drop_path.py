"""Stochastic depth: leave out a residual branch for some samples while training."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Zero the branch of a sample with probability ``rate``, scale the others by 1/(1 - rate).

    Huang et al., "Deep Networks with Stochastic Depth", 2016.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """[B, ...] to the same shape; the identity outside training."""
        if not self.training or self.rate == 0:
            return x
        keep = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) >= self.rate
        return x * (keep / (1 - self.rate)).to(x.dtype)
