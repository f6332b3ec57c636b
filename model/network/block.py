"""One pre-norm transformer block."""

from torch import Tensor, nn

from m3vit.hw.config import ModelConfig
from m3vit.model.network.attention import Attention
from m3vit.model.network.context import Context
from m3vit.model.network.drop_path import DropPath
from m3vit.model.network.mlp import Mlp
from m3vit.model.network.moe import Moe

LAYER_NORM_EPS = 1e-6


class Block(nn.Module):
    """``x + attn(norm1(x))``, then ``+ mlp(norm2(.))``, dense or a mixture of experts.

    Reports ``ln1``, ``mid`` (residual after attention), ``ln2`` and ``out`` (residual after all).
    """

    def __init__(self, config: ModelConfig, number: int) -> None:
        super().__init__()
        self.number = number
        self.norm1 = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        self.attn = Attention(config.width, config.heads, number)
        self.norm2 = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        self.mlp: Moe | Mlp
        if config.is_moe(number):
            self.mlp = Moe(config, number)
        else:
            self.mlp = Mlp(config.width, config.dense_hidden(number), number)
        self.drop_path = DropPath()

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """[B, T, width] to the same shape."""
        branch = self.attn(context.see("ln1", self.number, self.norm1(x)), context)
        x = context.see("mid", self.number, x + self.drop_path(branch))
        branch = self.mlp(context.see("ln2", self.number, self.norm2(x)), context)
        return context.see("out", self.number, x + self.drop_path(branch))
