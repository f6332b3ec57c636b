"""Calibration images: rendered scenes, or photographs of the domain from a folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import DatasetError
from m3vit.model.data.scenes import render_scene

Images = Sequence[NDArray[np.uint8]]
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})


def scene_images(config: ModelConfig, count: int) -> Images:
    """``count`` rendered scenes of the model's size, from seed 0 as in training."""
    size = config.image_height, config.image_width
    return [render_scene(seed, *size).image for seed in range(count)]


def _read(path: Path, config: ModelConfig) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            resized = image.convert("RGB").resize((config.image_width, config.image_height))
    except (UnidentifiedImageError, OSError) as error:
        raise DatasetError(
            f"{path} is no readable image ({error}); remove or replace it"
        ) from error
    return np.asarray(resized, dtype=np.uint8)


def folder_images(config: ModelConfig, folder: Path, count: int) -> Images:
    """The first ``count`` images of ``folder`` by name, resized to the model's size.

    Raises:
        DatasetError: the folder is absent or holds no image, or a file is none.
    """
    found = sorted(p for p in folder.glob("*") if p.suffix.lower() in _SUFFIXES)
    if not found:
        raise DatasetError(
            f"{folder} holds 0 images ({', '.join(sorted(_SUFFIXES))}), expected at least 1"
        )
    return [_read(path, config) for path in found[:count]]
