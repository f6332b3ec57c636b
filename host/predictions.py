"""From integer logits to what a task predicts, in float numpy, for people and metrics.

=============  ==================  ================================================
kind           array               meaning
=============  ==================  ================================================
segmentation   uint8 [H, W]        class of each pixel (parts likewise)
depth          float32 [H, W]      metres along the optical axis
normals        float32 [H, W, 3]   unit vectors: x right, y up, z to the viewer
edges          float32 [H, W]      probability (saliency likewise)
=============  ==================  ================================================
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.host.interpolate import resize_maps
from m3vit.hw.config import ModelConfig, TaskKind
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import Float32, Float64, Int16, UInt8

SMALLEST_NORM = 1e-6
STRIP_ROWS = 64
"""Rows interpolated at a time: forty classes of a photograph would not fit memory at once."""


def dequantise(logits: Int16, scale: Float64, config: ModelConfig) -> Float32:
    """Logits [C, h, w] as float maps [C, image height, image width] of the model's image.

    They are doubled, and resized if that is not the image's size yet: the network's own order.
    """
    maps = logits.astype(np.float32) * scale.astype(np.float32)[:, None, None]
    maps = resize_maps(maps, 2 * maps.shape[1], 2 * maps.shape[2])
    height, width = config.image_height, config.image_width
    return maps if maps.shape[1:] == (height, width) else resize_maps(maps, height, width)


def predict(kind: TaskKind, maps: Float32, height: int, width: int) -> NDArray[Any]:
    """What a task of ``kind`` predicts for an image of ``height`` x ``width`` pixels.

    Args:
        kind: see the module's table.
        maps: float maps [C, h, w] from :func:`dequantise`.
        height: rows of the prediction.
        width: columns of the prediction.

    Raises:
        ConfigurationError: the number of channels does not suit the kind.
    """
    channels = {TaskKind.SEGMENTATION: len(maps), TaskKind.PARTS: len(maps), TaskKind.NORMALS: 3}
    if len(maps) != channels.get(kind, 1):
        raise ConfigurationError(
            f"a task of kind {kind.value} has {len(maps)} channels, expected "
            f"{channels.get(kind, 1)}"
        )
    strips = [
        _finish(kind, resize_maps(maps, height, width, slice(start, start + STRIP_ROWS)))
        for start in range(0, height, STRIP_ROWS)
    ]
    return np.concatenate(strips)


def _finish(kind: TaskKind, maps: Float32) -> NDArray[Any]:
    if kind in (TaskKind.SEGMENTATION, TaskKind.PARTS):
        classes: UInt8 = maps.argmax(axis=0).astype(np.uint8)
        return classes
    if kind is TaskKind.NORMALS:
        length = np.sqrt((maps * maps).sum(axis=0))
        return np.moveaxis(maps / np.maximum(length, SMALLEST_NORM), 0, -1)
    return maps[0] if kind is TaskKind.DEPTH else _sigmoid(maps[0])


def _sigmoid(values: Float32) -> Float32:
    result: Float32 = np.float32(0.5) * (np.tanh(np.float32(0.5) * values) + np.float32(1))
    return result
