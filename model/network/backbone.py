"""The encoder: patches and class token through all blocks, without a final norm."""

import torch
from torch import Tensor, nn

from m3vit.hw.config import GateKind, ModelConfig
from m3vit.model.network.block import Block
from m3vit.model.network.context import Context, Observer, Route, ignore
from m3vit.model.network.patch_embedding import PatchEmbedding
from m3vit.model.network.task_embedding import TaskEmbedding


class Backbone(nn.Module):
    """Images [B, 3, H, W] to tokens [B, T, width]; token 0 is the class token."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(config.patch, config.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, config.width))
        self.gate_task_represent: TaskEmbedding | None = None
        if config.moe and config.gate is GateKind.CONDITIONED:
            self.gate_task_represent = TaskEmbedding(len(config.tasks), config.gate_task_width)
        self.blocks = nn.ModuleList(Block(config, number) for number in range(config.blocks))

    def _context(self, task: int, observe: Observer | None, route: Route | None) -> Context:
        feature = self.gate_task_represent(task) if self.gate_task_represent else None
        return Context(
            task=task, task_feature=feature, observe=observe or ignore, route=route or {}
        )

    def forward(
        self,
        images: Tensor,
        task: int,
        observe: Observer | None = None,
        route: Route | None = None,
    ) -> Tensor:
        """Residual stream after the last block; reports ``embed`` and what the blocks report."""
        context = self._context(task, observe, route)
        patches = self.patch_embed(images)
        tokens = torch.cat((self.cls_token.expand(len(images), -1, -1), patches), dim=1)
        x = context.see("embed", 0, tokens + self.pos_embed)
        for block in self.blocks:
            x = block(x, context)
        return x
