"""From pixels to the network's input: the one place that holds the normalisation constants."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's red, green and blue, in units of full scale."""

STD = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's red, green and blue, in units of full scale."""


def normalise(pixels: Tensor) -> Tensor:
    """uint8 [B, 3, H, W] to float32 of the same shape: ``(pixel / 255 - MEAN) / STD``."""
    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1)
    return (pixels.float() / 255.0 - mean) / std


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """One image, uint8 [H, W, 3], to normalised float32 [3, H, W]."""
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return normalise(pixels.unsqueeze(0))[0]
