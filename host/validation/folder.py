"""What a folder holds for validation: images, and ground truth beside them."""

from dataclasses import dataclass
from pathlib import Path

from m3vit.hw.errors import DatasetError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Files that are taken for images, whatever they hold."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One image."""

    image: Path
    truth: Path | None
    """NAME.npz, as `m3vit scene` writes it; None if there is none."""


def items_of(folder: Path, truth: Path | None = None) -> list[Item]:
    """Images of ``folder`` by name, each with its ground truth from ``truth`` or from beside it.

    Raises:
        DatasetError: a folder is missing, there is no image, two images share a name, or ``truth``
            holds nothing for any of them.
    """
    for path in (folder, truth or folder):
        if not path.is_dir():
            raise DatasetError(f"{path} is no folder; give one that holds the files")
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not images:
        raise DatasetError(f"{folder} holds no image, expected {', '.join(SUFFIXES)}")
    stems = [path.stem for path in images]
    twins = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twins:
        raise DatasetError(f"{folder}: images share the name {', '.join(twins)}; rename them")
    items = [Item(image=path, truth=_beside(truth or folder, path)) for path in images]
    if truth and not any(item.truth for item in items):
        raise DatasetError(f"{truth} holds no NAME.npz for any image of {folder}")
    return items


def _beside(folder: Path, image: Path) -> Path | None:
    path = folder / f"{image.stem}.npz"
    return path if path.is_file() else None
