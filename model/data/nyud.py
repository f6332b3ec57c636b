"""NYUD-v2 with four tasks, in the layout of MTI-Net and M3ViT (NYUD_MT).

::

    ROOT/images/ID.jpg           images (or .png)
    ROOT/gt_sets/SPLIT.txt       one ID a line (train, val)
    ROOT/segmentation/ID.png     0 = unlabelled, 1..40 = class + 1
    ROOT/depth/ID.npy            metres
    ROOT/normals/ID.npy          unit vectors
    ROOT/edge/ID.npy             0 or 1
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.model.data.annotation_files import (
    read_array,
    read_labels,
    read_names,
    require_folder,
)
from m3vit.model.data.file_dataset import (
    Annotation,
    FileDataset,
    binary,
    first_existing,
    unit_normals,
)
from m3vit.model.data.sample import IGNORE

CLASSES = 40


class NyudDataset(FileDataset):
    """Segmentation (40 classes, without background), depth, normals and edges of NYUD-v2.

    Normals are as the data set stores them, in its axes.

    Raises:
        DatasetError: a folder or file of the layout above is missing.
    """

    def __init__(self, root: Path, split: str, tasks: Sequence[str]) -> None:
        require_folder(root, "NYUD-v2 as NYUD_MT (with images and gt_sets)")
        names = read_names(root / "gt_sets" / f"{split}.txt", "one image ID a line")
        super().__init__(
            names,
            lambda name: first_existing(
                root / "images" / f"{name}.jpg", root / "images" / f"{name}.png"
            ),
            _annotations(root),
            tasks,
        )


def _annotations(root: Path) -> dict[str, Annotation]:
    return {
        "segmentation": Annotation(
            paths=lambda name: (root / "segmentation" / f"{name}.png",),
            read=lambda paths: _segmentation(read_labels(paths[0])),
            what="labels 0..40 in PNG files",
        ),
        "depth": Annotation(
            paths=lambda name: (root / "depth" / f"{name}.npy",),
            read=lambda paths: valid_depth(read_array(paths[0])),
            what="depth in metres as .npy files",
        ),
        "normals": Annotation(
            paths=lambda name: (root / "normals" / f"{name}.npy",),
            read=lambda paths: unit_normals(read_array(paths[0])),
            what="normals as .npy files",
        ),
        "edges": Annotation(
            paths=lambda name: (root / "edge" / f"{name}.npy",),
            read=lambda paths: binary(read_array(paths[0])),
            what="edges as .npy files",
        ),
    }


def _segmentation(labels: NDArray[Any]) -> NDArray[np.uint8]:
    known = (labels >= 1) & (labels <= CLASSES)
    return np.where(known, labels.astype(np.int64) - 1, IGNORE).astype(np.uint8)


def valid_depth(metres: NDArray[Any]) -> NDArray[np.float32]:
    """Depth with everything that is not finite and positive set to 0 = invalid."""
    depth = metres.astype(np.float32)
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))
