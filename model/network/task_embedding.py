"""The task's embedding for conditioned gates: a small network on a one-hot vector."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m3vit.model.network.block import LAYER_NORM_EPS


class TaskEmbedding(nn.Module):
    """Linear, GELU, Linear, LayerNorm (the original code's layers; its paper says ReLU)."""

    def __init__(self, tasks: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(tasks, width)
        self.fc2 = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)

    def forward(self, task: int) -> Tensor:
        """Task number to its embedding [width]; constant for trained weights."""
        one_hot = torch.zeros(
            self.fc1.in_features, device=self.fc1.weight.device, dtype=self.fc1.weight.dtype
        )
        one_hot[task] = 1
        result: Tensor = self.norm(self.fc2(F.gelu(self.fc1(one_hot))))
        return result
