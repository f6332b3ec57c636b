"""The contract's constant tables on a device, uploaded once and kept."""

from functools import cache

import torch
from torch import Tensor

from m3vit.hw import formats

_MAKERS = {
    "exponential": formats.exponential_table,
    "gate_exponential": formats.gate_exponential_table,
    "reciprocal": formats.reciprocal_table,
    "reciprocal_root": formats.reciprocal_root_table,
}


@cache
def table(name: str, device: torch.device) -> Tensor:
    """The table called ``name`` (see the module's list) as int32 on ``device``."""
    return torch.as_tensor(_MAKERS[name](), dtype=torch.int32, device=device)
