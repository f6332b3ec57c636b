"""What the data sets on disk have in common: named images, and a reader for each task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import DatasetError
from m3vit.model.data.annotation_files import require_files
from m3vit.model.data.images import read_image, resize_target
from m3vit.model.data.sample import Sample

Target = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """Files of one task: their paths for an image's name, and how to read them."""

    paths: Callable[[str], tuple[Path, ...]]
    read: Callable[[tuple[Path, ...]], Target]
    what: str


class FileDataset:
    """Samples read from files on demand.

    Targets of another size than their image are resized to it by nearest neighbour.

    Raises:
        DatasetError: a task is not annotated in this data set, or files are missing.
    """

    def __init__(
        self,
        names: Sequence[str],
        image: Callable[[str], Path],
        annotations: Mapping[str, Annotation],
        tasks: Sequence[str],
    ) -> None:
        unknown = [task for task in tasks if task not in annotations]
        if unknown:
            raise DatasetError(
                f"task {unknown[0]!r} is not annotated in this data set, "
                f"expected some of {', '.join(annotations)}"
            )
        self.names = list(names)
        self.tasks = tuple(str(getattr(task, "value", task)) for task in tasks)
        self._image = image
        self._annotations = {task: annotations[task] for task in self.tasks}
        require_files([image(name) for name in self.names], "the images of the split")
        for annotation in self._annotations.values():
            paths = [path for name in self.names for path in annotation.paths(name)]
            require_files(paths, annotation.what)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Read sample ``index``.

        Raises:
            DatasetError: a file cannot be read.
        """
        name = self.names[index]
        image = read_image(self._image(name))
        targets = {}
        for task, annotation in self._annotations.items():
            target = annotation.read(annotation.paths(name))
            targets[task] = resize_target(target, *image.shape[:2])
        return Sample(name=name, image=image, targets=targets)


def first_existing(*paths: Path) -> Path:
    """Return the first of ``paths`` that is a file, else the first."""
    return next((path for path in paths if path.is_file()), paths[0])


def unit_normals(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Scale vectors [H, W, 3] to length one; those that are zero or not finite become zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    valid = np.isfinite(length) & (length > 1e-6)
    return np.where(valid, vectors / np.where(valid, length, 1), 0).astype(np.float32)


def binary(values: NDArray[Any]) -> NDArray[np.uint8]:
    """1 where a mask in 0..1 or 0..255 is more than half of its range."""
    scale = 255.0 if values.dtype == np.uint8 and values.max(initial=0) > 1 else 1.0
    return (values.astype(np.float64) > 0.5 * scale).astype(np.uint8)
