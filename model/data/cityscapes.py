"""Cityscapes with two tasks, in the layout of the official archives.

::

    ROOT/leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png     images
    ROOT/gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png      34 label ids
    ROOT/disparity/SPLIT/CITY/NAME_disparity.png         16 bits
    ROOT/camera/SPLIT/CITY/NAME_camera.json              optional: baseline and focal length
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import DatasetError
from m3vit.model.data.annotation_files import read_json, read_labels, require_folder
from m3vit.model.data.file_dataset import Annotation, FileDataset
from m3vit.model.data.sample import IGNORE

CITYSCAPES_CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
)  # fmt: skip
"""The 19 classes of the benchmark, by index."""

_LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_TO_CLASS = np.full(256, IGNORE, np.uint8)
_TO_CLASS[list(_LABEL_IDS)] = np.arange(len(_LABEL_IDS))

_BASELINE, _FOCAL = 0.209313, 2262.52
"""Metres and pixels of most of the recordings; used where the camera files are not installed."""


class CityscapesDataset(FileDataset):
    """Segmentation (19 classes) and depth (metres, from disparity) of Cityscapes.

    Raises:
        DatasetError: a folder or file of the layout above is missing.
    """

    def __init__(self, root: Path, split: str, tasks: Sequence[str]) -> None:
        folder = require_folder(
            root / "leftImg8bit" / split, "Cityscapes' leftImg8bit with one folder a city"
        )
        ending = "_leftImg8bit.png"
        names = sorted(f"{p.parent.name}/{p.name}" for p in folder.glob(f"*/*{ending}"))
        if not names:
            raise DatasetError(f"folder {folder} holds no image, expected CITY/NAME{ending}")
        super().__init__(
            [name.removesuffix(ending) for name in names],
            lambda name: folder / f"{name}{ending}",
            _annotations(root, split),
            tasks,
        )


def _annotations(root: Path, split: str) -> dict[str, Annotation]:
    return {
        "segmentation": Annotation(
            paths=lambda name: (root / "gtFine" / split / f"{name}_gtFine_labelIds.png",),
            read=lambda paths: _TO_CLASS[read_labels(paths[0])],
            what="gtFine's labelIds of every image of the split",
        ),
        "depth": Annotation(
            paths=lambda name: (root / "disparity" / split / f"{name}_disparity.png",),
            read=lambda paths: _depth(paths[0]),
            what="disparity of every image of the split",
        ),
    }


def _depth(path: Path) -> NDArray[np.float32]:
    """Baseline * focal / disparity; disparity = (p - 1) / 256, p = 0 is invalid (its README)."""
    stored = read_labels(path).astype(np.float32)
    disparity = (stored - 1) / 256
    baseline, focal = _camera(path)
    valid = disparity > 0
    return np.where(valid, baseline * focal / np.where(valid, disparity, 1), 0).astype(np.float32)


def _camera(disparity: Path) -> tuple[float, float]:
    name = disparity.name.replace("_disparity.png", "_camera.json")
    city = disparity.parent
    path = city.parents[2] / "camera" / city.parent.name / city.name / name
    if not path.is_file():
        return _BASELINE, _FOCAL
    content: Any = read_json(path)
    try:
        return float(content["extrinsic"]["baseline"]), float(content["intrinsic"]["fx"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path} lacks {error}, expected extrinsic.baseline and intrinsic.fx"
        ) from error
