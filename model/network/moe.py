"""The mixture-of-experts layer: route every token, run the live experts, sum by weight."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from m3vit.hw.config import GateKind, ModelConfig
from m3vit.model.network.context import Context
from m3vit.model.network.experts import Experts
from m3vit.model.network.gate import Gate, Routing, balance, choose, indecision


def _row_precision(rows: Tensor) -> AbstractContextManager[object]:
    # On a CPU, bfloat16 products are compiled per shape, and expert row counts change every step.
    if rows.device.type == "cpu" and rows.dtype is not torch.bfloat16:
        return torch.autocast("cpu", enabled=False)
    return nullcontext()


class Moe(nn.Module):
    """Replaces the dense feed-forward layer of odd blocks.

    Attributes:
        noise: spread of the training noise on the logits, in units of 1/experts; 0 is none.
        balance_loss: cv²(importance) + cv²(load) of the last pass in training mode.
        indecision_loss: how close its tokens came to other experts, see `gate.indecision`.
    """

    def __init__(self, config: ModelConfig, block: int) -> None:
        super().__init__()
        self.kind = config.gate
        self.block = block
        self.top_k = config.top_k
        self.number = config.experts
        self.noise = 0.0
        self.balance_loss: Tensor | None = None
        self.indecision_loss: Tensor | None = None
        self.experts = Experts(config.experts, config.width, config.expert_hidden, block)
        self.gate = self._make_gate(config)

    def _make_gate(self, config: ModelConfig) -> nn.Module:
        if self.kind is GateKind.MULTI:
            return nn.ModuleList(Gate(config.width, config.experts) for _ in config.tasks)
        extra = config.gate_task_width if self.kind is GateKind.CONDITIONED else 0
        return Gate(config.width + extra, config.experts)

    def logits(self, x: Tensor, context: Context) -> Tensor:
        """Logits [B, T, E] of the pass's task; no other task's gate is read."""
        if isinstance(self.gate, nn.ModuleList):
            return self.gate[context.task](x)  # type: ignore[no-any-return]
        if context.task_feature is not None:
            feature = context.task_feature.to(x.dtype).expand(*x.shape[:-1], -1)
            x = torch.cat((x, feature), dim=-1)
        return self.gate(x)  # type: ignore[no-any-return]

    def _route(self, x: Tensor, context: Context) -> Routing:
        logits = context.see("logits", self.block, self.logits(x, context))
        if self.block in context.route:
            indices, weights = context.route[self.block]
            return Routing(indices.to(x.device), weights.to(logits))
        std = self.noise / self.number if self.training else 0.0
        noisy = logits + std * torch.randn_like(logits) if std else logits
        routing = choose(noisy, self.top_k)
        if self.training:
            self.balance_loss = balance(logits, noisy, routing, std)
            self.indecision_loss = indecision(logits, self.top_k)
        return routing

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """[B, T, width] to the same shape; reports ``topk`` and ``weights``."""
        routing = self._route(x, context)
        context.see("topk", self.block, routing.indices)
        context.see("weights", self.block, routing.weights)
        pairs = routing.indices.flatten()
        order = torch.argsort(pairs, stable=True)
        counts = torch.bincount(pairs, minlength=self.number).tolist()
        rows = x.flatten(0, 1)[order // self.top_k]
        with _row_precision(rows):
            outputs = self.experts(rows, counts, context)
        # Gathered back to (token, rank): the sum's order then depends on nothing but the ranks.
        ranked = outputs[torch.argsort(order)].view(*routing.indices.shape, x.shape[-1])
        return torch.sum(routing.weights.unsqueeze(-1) * ranked, dim=-2)
