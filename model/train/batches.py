"""Where a step's images and targets come from, as a pure function of the step."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from m3vit.hw.config import TaskKind


class Source(Protocol):
    """Anything that training can draw images and targets from."""

    def __len__(self) -> int:
        """Images to choose from."""

    def batch(
        self, indices: NDArray[np.int64], kind: TaskKind, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """uint8 images [B, 3, H, W] and the targets that `m3vit.model.train.losses` expects.

        Whatever is random about them follows ``rng``.
        """


def draw(source: Source, rng: np.random.Generator, batch: int) -> NDArray[np.int64]:
    """Indices of the images of one step of one process, without repetition inside the batch."""
    return rng.choice(len(source), size=batch, replace=len(source) < batch)


def _planes(values: NDArray[np.generic]) -> Tensor:
    """[B, H, W, C] to [B, C, H, W], without moving memory: channels stay last underneath."""
    return torch.from_numpy(values).permute(0, 3, 1, 2)


class SceneSource:
    """Batches from the arrays of `m3vit.model.train.scene_cache`."""

    def __init__(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays["image"])

    def batch(
        self, indices: NDArray[np.int64], kind: TaskKind, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """See `Source`; scenes are many enough to be taken as they are."""
        chosen = np.sort(indices)
        images = _planes(self.arrays["image"][chosen])
        values = self.arrays[kind.value][chosen]
        if kind is TaskKind.NORMALS:
            return images, _planes(values).float() / 127
        target = torch.from_numpy(values)
        return images, target.float() if kind is TaskKind.DEPTH else target
