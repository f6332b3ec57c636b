"""From head logits to what metrics compare: labels, metres, directions, probabilities."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from m3vit.hw.config import ModelConfig, TaskKind
from m3vit.hw.formats import Float64, Int16
from m3vit.model.metrics.metric import Field
from m3vit.model.network.head import double


def _labels(values: Float64) -> Field:
    return np.asarray(values.argmax(0), np.uint8)


def _probability(values: Float64) -> Field:
    return np.asarray(1 / (1 + np.exp(-np.clip(values[0], -60, 60))))


_FIELDS: Mapping[TaskKind, Callable[[Float64], Field]] = MappingProxyType(
    {
        TaskKind.SEGMENTATION: _labels,
        TaskKind.PARTS: _labels,
        TaskKind.DEPTH: lambda values: values[0],
        TaskKind.NORMALS: lambda values: np.moveaxis(values, 0, -1),
        TaskKind.EDGES: _probability,
        TaskKind.SALIENCY: _probability,
    }
)


def field_of(kind: TaskKind, prediction: Tensor) -> Field:
    """What the metric of ``kind`` takes, from a prediction [1, channels, H, W]."""
    return _FIELDS[kind](prediction[0].double().numpy())


def dequantised(codes: Int16, scale: Float64, config: ModelConfig) -> Tensor:
    """Prediction [1, channels, H, W] from integer logits [channels, h, w]: the head's last steps.

    Args:
        codes: logits of the integer head.
        scale: value of one code, by channel.
        config: says how large the image is.
    """
    values = double(torch.from_numpy(codes * scale[:, None, None])[None])
    size = (config.image_height, config.image_width)
    if values.shape[-2:] != size:
        values = F.interpolate(values, size, mode="bilinear", align_corners=False)
    return values
