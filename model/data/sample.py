"""One annotated image, and what its targets mean.

Targets are keyed by the kind of task (`m3vit.hw.config.TaskKind` values):

============  ==================  ==========================================================
kind          array               meaning
============  ==================  ==========================================================
segmentation  uint8 [H, W]        class index, 255 = ignore
parts         uint8 [H, W]        part index, 0 = background, 255 = ignore
depth         float32 [H, W]      metres along the optical axis, 0 = invalid
normals       float32 [H, W, 3]   unit vectors (x right, y up, z to the viewer), all zero =
                                  invalid
edges         uint8 [H, W]        1 = boundary, 0 = none, 255 = ignore
saliency      uint8 [H, W]        1 = salient, 0 = not, 255 = ignore
============  ==================  ==========================================================
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import DatasetError

IGNORE = 255
"""Label of pixels that count neither in losses nor in metrics."""

_LABELS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "segmentation": (np.uint8, ()),
    "parts": (np.uint8, ()),
    "depth": (np.float32, ()),
    "normals": (np.float32, (3,)),
    "edges": (np.uint8, ()),
    "saliency": (np.uint8, ()),
}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An image (uint8 [H, W, 3], RGB) with its targets, see the table above.

    Raises:
        DatasetError: a target's kind, dtype or shape does not follow the table.
    """

    name: str
    image: NDArray[np.uint8]
    targets: dict[str, NDArray[np.generic]]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise DatasetError(
                f"image of {self.name} is {self.image.dtype} {list(self.image.shape)}, "
                "expected uint8 [H, W, 3]"
            )
        for kind, target in self.targets.items():
            self._check(kind, target)

    def _check(self, kind: str, target: NDArray[np.generic]) -> None:
        if kind not in _LABELS:
            raise DatasetError(
                f"target {kind!r} of {self.name} is unknown, expected one of {', '.join(_LABELS)}"
            )
        dtype, channels = _LABELS[kind]
        shape = (*self.image.shape[:2], *channels)
        if target.shape != shape or target.dtype != dtype:
            raise DatasetError(
                f"target {kind} of {self.name} is {target.dtype} {list(target.shape)}, "
                f"expected {np.dtype(dtype)} {list(shape)}"
            )
