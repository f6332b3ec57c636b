"""Patch embedding: one linear map of every patch, written as a strided convolution."""

from torch import Tensor, nn


class PatchEmbedding(nn.Module):
    """Images [B, 3, H, W] to patch tokens [B, H/patch * W/patch, width], row by row."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        tokens: Tensor = self.proj(images).flatten(2).transpose(1, 2)
        return tokens
