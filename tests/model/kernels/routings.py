"""Routings that break careless code: none, all to one, one token, E and K at their limits."""

import torch

ROUTINGS = {
    "even": (24, 4, 2),
    "one token": (1, 5, 3),
    "one expert": (7, 1, 1),
    "most experts": (5, 256, 8),
    "all to the last": (33, 6, 1),
    "all to the same pair": (19, 7, 2),
    "every expert": (9, 8, 8),
}
"""Name -> tokens, experts, K."""


def routing(name: str, seed: int = 0) -> tuple[torch.Tensor, int]:
    """indices int32 [N, K], distinct in a row, and E."""
    tokens, experts, top_k = ROUTINGS[name]
    generator = torch.Generator().manual_seed(seed)
    if name.startswith("all to"):
        row = torch.arange(experts - top_k, experts).flip(0)
        return row.expand(tokens, top_k).int().contiguous(), experts
    rows = [torch.randperm(experts, generator=generator)[:top_k] for _ in range(tokens)]
    return torch.stack(rows).int(), experts
