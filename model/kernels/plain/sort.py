"""Sorting pairs by expert in plain torch."""

import torch
from torch import Tensor

from m3vit.model.kernels.interface import Plan


def sort_pairs(indices: Tensor, experts: int) -> Plan:
    """Pairs of ``indices`` int32 [N, K] by expert; pairs of one expert keep their order."""
    flat = indices.flatten().long()
    counts = torch.zeros(experts, dtype=torch.int32, device=flat.device)
    counts.scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.int32))
    return Plan(flat.argsort(stable=True).int(), counts)
