"""PASCAL-Context with five tasks, in the layout of ASTMT, MTI-Net and M3ViT (PASCAL_MT).

::

    ROOT/JPEGImages/ID.jpg                   images
    ROOT/ImageSets/Context/SPLIT.txt         one ID a line
    ROOT/ImageSets/Parts/SPLIT.txt           JSON, ID to class indices of its objects
    ROOT/pascal-context/trainval/ID.mat      LabelMap, 459 classes: edges, valid normals
    ROOT/semseg/VOC12/ID.png                 segmentation, or
    ROOT/semseg/pascal-context/ID.png
    ROOT/human_parts/ID.mat                  PASCAL-Part's anno
    ROOT/normals_distill/ID.png              (n + 1) / 2 in 8 bits
    ROOT/sal_distill/ID.png                  saliency in 8 bits
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import DatasetError
from m3vit.model.data.annotation_files import (
    read_json,
    read_labels,
    read_matlab,
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
from m3vit.model.data.images import resize_target
from m3vit.model.data.pascal_labels import NORMALS_LABELS, PART_OF, PERSON
from m3vit.model.data.skeleton import thin


class PascalContextDataset(FileDataset):
    """Segmentation (21 classes), parts (7), normals, edges and saliency of PASCAL-Context.

    With the single task "parts", only images that show persons are listed.  Normals are as the
    data set stores them, in its axes.

    Raises:
        DatasetError: a folder or file of the layout above is missing.
    """

    def __init__(self, root: Path, split: str, tasks: Sequence[str]) -> None:
        require_folder(root, "PASCAL-Context as PASCAL_MT (with JPEGImages and ImageSets)")
        names = read_names(root / "ImageSets/Context" / f"{split}.txt", "one image ID a line")
        if list(tasks) == ["parts"]:
            names = _with_persons(names, root / "ImageSets/Parts" / f"{split}.txt")
        super().__init__(
            names, lambda name: root / "JPEGImages" / f"{name}.jpg", _annotations(root), tasks
        )


def _annotations(root: Path) -> dict[str, Annotation]:
    def context(name: str) -> Path:
        return root / "pascal-context/trainval" / f"{name}.mat"

    return {
        "segmentation": Annotation(
            paths=lambda name: (
                first_existing(
                    root / "semseg/VOC12" / f"{name}.png",
                    root / "semseg/pascal-context" / f"{name}.png",
                ),
            ),
            read=lambda paths: read_labels(paths[0]).astype(np.uint8),
            what="class indices in semseg/VOC12 or semseg/pascal-context",
        ),
        "parts": Annotation(
            paths=lambda name: (root / "human_parts" / f"{name}.mat",),
            read=lambda paths: _parts(paths[0]),
            what="PASCAL-Part's annotation of every image of the split",
        ),
        "normals": Annotation(
            paths=lambda name: (root / "normals_distill" / f"{name}.png", context(name)),
            read=lambda paths: _normals(*paths),
            what="distilled normals and the labels that say where they hold",
        ),
        "edges": Annotation(
            paths=lambda name: (context(name),),
            read=lambda paths: label_boundaries(read_matlab(paths[0], "LabelMap")),
            what="PASCAL-Context's LabelMap of every image of the split",
        ),
        "saliency": Annotation(
            paths=lambda name: (root / "sal_distill" / f"{name}.png",),
            read=lambda paths: binary(read_labels(paths[0])),
            what="distilled saliency",
        ),
    }


def _with_persons(names: list[str], path: Path) -> list[str]:
    if not path.is_file():
        raise DatasetError(
            f"file {path} is missing, expected a JSON object from image ID to class indices; "
            "ask for a second task beside parts to do without it"
        )
    classes = read_json(path)
    kept = [name for name in names if PERSON in classes.get(name, ())]
    if not kept:
        raise DatasetError(f"file {path} lists no image with persons (class {PERSON})")
    return kept


def _normals(stored: Path, labels: Path) -> NDArray[np.float32]:
    vectors = read_labels(stored)[..., :3].astype(np.float32) * np.float32(2 / 255) - 1
    classes = resize_target(read_matlab(labels, "LabelMap"), *vectors.shape[:2])
    return unit_normals(vectors * np.isin(classes, list(NORMALS_LABELS))[..., None])


def _parts(path: Path) -> NDArray[np.uint8]:
    """Paint the parts of every person; where they overlap, the last one listed stays."""
    try:
        objects = read_matlab(path, "anno")["objects"][0, 0].reshape(-1)
        target = np.zeros(objects[0]["mask"].shape, np.uint8)
        for person in objects:
            if int(person["class_ind"].item()) == PERSON and person["parts"].size:
                for part in person["parts"].reshape(-1):
                    target[part["mask"] > 0] = PART_OF[str(part["part_name"].item())]
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise DatasetError(
            f"{path} is not PASCAL-Part's annotation ({error}), expected anno.objects with "
            "class_ind, mask and parts"
        ) from error
    return target


def label_boundaries(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Edges between regions: the skeleton of all pixels with a differing neighbour of four."""
    differs = np.zeros(labels.shape, bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    differs[:, 1:] |= across
    differs[:, :-1] |= across
    differs[1:] |= down
    differs[:-1] |= down
    return thin(differs).astype(np.uint8)
