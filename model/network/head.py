"""The task head: four 3x3 convolutions with bilinear doublings, and a 1x1 to the channels."""

from torch import Tensor, nn
from torch.nn import functional as F

from m3vit.hw.config import ModelConfig, TaskConfig
from m3vit.model.network.block import LAYER_NORM_EPS
from m3vit.model.network.context import HEAD, Observer, ignore

CONVOLUTIONS = 4


def double(x: Tensor) -> Tensor:
    """Bilinear interpolation to twice the height and width, corners not aligned."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Head(nn.Module):
    """Tokens [B, T, width] to [B, channels, H, W].

    LayerNorm, drop the class token, (conv3x3, BatchNorm, ReLU) four times with a doubling after
    each of the first three, conv1x1, doubling, and a resize where the image is not 16 times the
    grid.  Reports ``head_ln``, ``head_0`` .. ``head_3`` (after the ReLU, before the doubling) and
    ``head_logits`` (before the last doubling).
    """

    def __init__(self, config: ModelConfig, task: TaskConfig) -> None:
        super().__init__()
        self.grid = config.grid
        self.image = (config.image_height, config.image_width)
        self.norm = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        widths = [config.width] + [config.head_width] * CONVOLUTIONS
        for index in range(CONVOLUTIONS):
            convolution = nn.Conv2d(widths[index], widths[index + 1], 3, padding=1)
            setattr(self, f"conv_{index}", convolution)
            setattr(self, f"syncbn_fc_{index}", nn.BatchNorm2d(widths[index + 1]))
        self.conv_4 = nn.Conv2d(config.head_width, task.channels, 1)

    def _convolve(self, index: int, x: Tensor) -> Tensor:
        convolved = getattr(self, f"conv_{index}")(x)
        return F.relu(getattr(self, f"syncbn_fc_{index}")(convolved))

    def forward(self, tokens: Tensor, observe: Observer | None = None) -> Tensor:
        """See the class."""
        see = observe or ignore
        normed = self.norm(tokens[:, 1:])
        see("head_ln", HEAD, normed, None)
        x = normed.unflatten(1, self.grid).permute(0, 3, 1, 2)
        for index in range(CONVOLUTIONS):
            x = self._convolve(index, x)
            see(f"head_{index}", HEAD, x, None)
            if index < CONVOLUTIONS - 1:
                x = double(x)
        x = self.conv_4(x)
        see("head_logits", HEAD, x, None)
        x = double(x)
        if x.shape[-2:] != self.image:
            x = F.interpolate(x, self.image, mode="bilinear", align_corners=False)
        return x
