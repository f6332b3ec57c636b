"""The experts of one layer, their matrices stacked as the original code stores them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m3vit.model.network.context import Context


class StackedLinear(nn.Module):
    """One Linear an expert: weight [E, out, in], bias [E, out]."""

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(experts, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(experts, outputs))


class Experts(nn.Module):
    """E feed-forward networks of which each sees only the rows routed to it."""

    def __init__(self, experts: int, width: int, hidden: int, block: int) -> None:
        super().__init__()
        self.block = block
        self.htoh4 = StackedLinear(experts, width, hidden)
        self.h4toh = StackedLinear(experts, hidden, width)

    def forward(self, rows: Tensor, counts: list[int], context: Context) -> Tensor:
        """Apply expert e to its ``counts[e]`` rows; experts without rows are not touched.

        Args:
            rows: [sum(counts), width], sorted by expert.
            counts: rows of each expert.
            context: the pass; ``expert_hidden`` and ``expert_out`` are reported per live expert.

        Returns:
            [sum(counts), width] in the same order, not yet weighted.
        """
        # unbind, not indexing: its gradient is one stack instead of a full-size array an expert.
        layers = zip(
            self.htoh4.weight.unbind(),
            self.htoh4.bias.unbind(),
            self.h4toh.weight.unbind(),
            self.h4toh.bias.unbind(),
            strict=True,
        )
        outputs = []
        for expert, (layer, part) in enumerate(zip(layers, torch.split(rows, counts), strict=True)):
            if len(part):
                outputs.append(self._one(expert, part, layer, context))
        return torch.cat(outputs)

    def _one(
        self, expert: int, rows: Tensor, layer: tuple[Tensor, Tensor, Tensor, Tensor], ctx: Context
    ) -> Tensor:
        hidden = ctx.see("expert_hidden", self.block, F.linear(rows, layer[0], layer[1]), expert)
        return ctx.see(
            "expert_out", self.block, F.linear(F.gelu(hidden), layer[2], layer[3]), expert
        )
