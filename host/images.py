"""Photographs from disk as arrays, and resized to what a network takes."""

import warnings
from pathlib import Path

import numpy as np

from m3vit.hw.errors import DatasetError
from m3vit.hw.formats import UInt8


def read_image(path: Path) -> UInt8:
    """The image at ``path`` as uint8 RGB [height, width, 3], turned as its EXIF says.

    Raises:
        DatasetError: the file is missing, no image, truncated or larger than is sane.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                upright = ImageOps.exif_transpose(file)
                pixels = np.asarray(upright.convert("RGB"), np.uint8)
    except UnidentifiedImageError as error:
        raise DatasetError(f"{path} is no image; give a JPEG, PNG or similar file") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} has too many pixels to be a photograph; shrink it") from error
    except FileNotFoundError as error:
        raise DatasetError(f"image {path} does not exist; check the path") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DatasetError(
            f"cannot read image {path}: {reason.splitlines()[0]}; it is damaged or protected, "
            "fetch it again"
        ) from error
    return pixels


def resize_image(image: UInt8, height: int, width: int) -> UInt8:
    """``image`` [h, w, 3] stretched to [height, width, 3], bilinear with antialiasing."""
    from PIL import Image

    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.uint8)
