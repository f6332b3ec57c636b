"""The dense feed-forward layer."""

from torch import Tensor, nn
from torch.nn import functional as F

from m3vit.model.network.context import Context


class Mlp(nn.Module):
    """Linear, exact GELU, Linear; reports ``hidden`` (before the GELU)."""

    def __init__(self, width: int, hidden: int, block: int) -> None:
        super().__init__()
        self.block = block
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """[B, T, width] to the same shape."""
        hidden = context.see("hidden", self.block, self.fc1(x))
        result: Tensor = self.fc2(F.gelu(hidden))
        return result
