"""Integer attention in plain torch; equal to ``m3vit.hw.golden.attention``."""

import torch
from torch import Tensor

from m3vit.hw.formats import CHAINS, exponential_table
from m3vit.model.kernels.integers import reciprocal, rshift
from m3vit.model.kernels.interface import HeadScales

CHAIN_START = 128


def _exponentials(scores: Tensor) -> Tensor:
    """EXP[d & 15] >> (d >> 4), d = min(255, max - s), of rows of scores [..., T]."""
    table = torch.as_tensor(exponential_table(), dtype=torch.int64, device=scores.device)
    delta = (scores.amax(-1, keepdim=True) - scores).clamp(max=255)
    return table[delta & 15] >> (delta >> 4)


def probabilities(scores: Tensor) -> Tensor:
    """p in [0, 254] int64 [..., T]: differences of the floors of each chain's running sum / 256."""
    e = _exponentials(scores)
    tokens = e.shape[-1]
    padded = torch.nn.functional.pad(e, (0, -tokens % CHAINS))
    chains = padded.view(*e.shape[:-1], -1, CHAINS).cumsum(-2) + CHAIN_START
    floors = torch.nn.functional.pad(chains >> 8, (0, 0, 1, 0))
    return floors.diff(dim=-2).flatten(-2)[..., :tokens]


def attention8(q: Tensor, k: Tensor, v: Tensor, scales: HeadScales) -> Tensor:
    """o int8 [B, T, H, dh] of q, k, v int8 of that shape; sums are exact in float64."""
    heads = [each.double().permute(0, 2, 1, 3) for each in (q, k, v)]
    acc = (heads[0] @ heads[1].transpose(2, 3)).long()
    scores = rshift(acc, scales.score_shift.view(-1, 1, 1)).clamp(-512, 511)
    p = probabilities(scores)
    inverse, leading = reciprocal(p.sum(-1, keepdim=True))
    factor = (inverse * scales.gain.view(-1, 1, 1) + (1 << 15)) >> 16
    mixed = (p.double() @ heads[2]).long() * factor
    o = rshift(mixed, 15 + leading - scales.output_shift.view(-1, 1, 1)).clamp(-128, 127)
    return o.permute(0, 2, 1, 3).to(torch.int8).contiguous()
