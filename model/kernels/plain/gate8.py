"""The integer gate in plain torch; equal to ``m3vit.hw.golden.gate``."""

import torch
from torch import Tensor

from m3vit.hw.formats import GATE_DELTA_LIMIT, GATE_DIFFERENCE_LIMIT, gate_exponential_table
from m3vit.model.kernels.integers import reciprocal, rshift
from m3vit.model.kernels.interface import IntegerGate, Routing


def _scores(z: Tensor, gate: IntegerGate) -> Tensor:
    table = torch.as_tensor(gate_exponential_table(), dtype=torch.int64, device=z.device)
    difference = (z.amax(1, keepdim=True) - z).clamp(max=GATE_DIFFERENCE_LIMIT)
    delta = rshift(difference * gate.factor, gate.shift).clamp(max=GATE_DELTA_LIMIT)
    x = table[delta & 63] >> (delta >> 6)
    inverse, leading = reciprocal(x.sum(1, keepdim=True))
    return rshift(x * inverse, leading).clamp(max=65535)


def route8(h: Tensor, gate: IntegerGate, top_k: int) -> Routing:
    """Logits, top-K (lower index on ties) and scores of tokens ``h`` int8 [N, d].

    Products run in float64, which holds every sum exactly.
    """
    wide = h.double()
    z = 128 * (wide @ gate.high.double().T).long() + (wide @ gate.low.double().T).long() + gate.bias
    chosen = z.sort(dim=1, descending=True, stable=True).indices[:, :top_k]
    return Routing(chosen.int(), _scores(z, gate).gather(1, chosen).int())
