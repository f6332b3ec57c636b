"""Reading photographs, and bringing images and targets to another size."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from m3vit.hw.errors import DatasetError
from m3vit.model.data.sample import Sample

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
"""Names of files that `list_images` takes for images."""

# What Pillow raises for files that are no image, cut short, or absurdly large.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as RGB uint8 [H, W, 3], turned as its EXIF orientation says.

    Grey images get three equal channels, 16-bit ones are scaled, transparency is dropped.

    Raises:
        DatasetError: there is no such file, or it is not an image.
    """
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):
                grey = np.clip(np.asarray(upright, np.int64) >> 8, 0, 255).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.asarray(upright.convert("RGB")).copy()
    except FileNotFoundError as error:
        raise DatasetError(f"image {path} does not exist, expected an image file") from error
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"image {path} cannot be read: {reason}; expected an image") from error


def list_images(path: Path) -> list[Path]:
    """Return ``path`` itself if it is a file, or the image files in the folder ``path``, sorted.

    Raises:
        DatasetError: there is no such file or folder, or the folder holds no image.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DatasetError(f"{path} does not exist, expected an image or a folder of images")
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise DatasetError(f"folder {path} holds no image, expected {', '.join(SUFFIXES)} files")
    return found


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize uint8 [H, W, 3] to ``height`` x ``width``, bilinear, averaging when it shrinks."""
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized).copy()


def resize_target(target: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Resize a target [H, W, ...] by taking the nearest pixel, so that no value is invented."""
    if target.shape[:2] == (height, width):
        return target
    rows = (2 * np.arange(height) + 1) * target.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * target.shape[1] // (2 * width)
    nearest: NDArray[Any] = target[rows[:, None], columns]
    return nearest


def resize_sample(sample: Sample, height: int, width: int) -> Sample:
    """Resize the image bilinearly and every target to its nearest pixels."""
    return Sample(
        name=sample.name,
        image=resize(sample.image, height, width),
        targets={k: resize_target(t, height, width) for k, t in sample.targets.items()},
    )
