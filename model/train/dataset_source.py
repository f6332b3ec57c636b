"""Batches from a data set on disk: resized to the network, mirrored at random."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from m3vit.hw.config import ModelConfig, TaskKind
from m3vit.hw.errors import ConfigurationError
from m3vit.model.data.cityscapes import CityscapesDataset
from m3vit.model.data.images import resize_sample
from m3vit.model.data.nyud import NyudDataset
from m3vit.model.data.pascal_context import PascalContextDataset
from m3vit.model.data.sample import Sample

_READERS = 4
"""Threads that decode images."""


class Samples(Protocol):
    """A sequence of samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


DATASETS: Mapping[str, Callable[[Path, str, Sequence[str]], Samples]] = MappingProxyType(
    {"pascal": PascalContextDataset, "nyud": NyudDataset, "cityscapes": CityscapesDataset}
)


def open_dataset(name: str, root: Path, split: str, config: ModelConfig) -> Samples:
    """The data set called ``name`` with targets for all tasks of ``config``.

    Raises:
        ConfigurationError: no such data set.
        DatasetError: a task is not annotated in it, or files are missing.
    """
    if name not in DATASETS:
        raise ConfigurationError(f"unknown data set {name!r}, expected {', '.join(DATASETS)}")
    return DATASETS[name](root, split, [task.kind.value for task in config.tasks])


def mirrored(values: NDArray[Any], kind: TaskKind | None) -> NDArray[Any]:
    """Left and right exchanged; normals then also point the other way along x."""
    flipped = values[:, ::-1].copy()
    if kind is TaskKind.NORMALS:
        flipped[..., 0] *= -1
    return flipped


class DatasetSource:
    """A `m3vit.model.train.batches.Source` over samples on disk."""

    def __init__(self, samples: Samples, config: ModelConfig) -> None:
        self.samples = samples
        self.size = (config.image_height, config.image_width)

    def __len__(self) -> int:
        return len(self.samples)

    def _read(self, index: int) -> Sample:
        return resize_sample(self.samples[index], *self.size)

    def batch(
        self, indices: NDArray[np.int64], kind: TaskKind, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """See `m3vit.model.train.batches.Source`; every other image is mirrored."""
        with ThreadPoolExecutor(_READERS) as pool:
            samples = list(pool.map(self._read, indices.tolist()))
        images, targets = [], []
        for sample, flip in zip(samples, rng.random(len(samples)) < 0.5, strict=True):
            image, target = sample.image, sample.targets[kind.value]
            images.append(mirrored(image, None) if flip else image)
            targets.append(mirrored(target, kind) if flip else target)
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        truth = torch.from_numpy(np.stack(targets))
        return pixels, truth.permute(0, 3, 1, 2) if kind is TaskKind.NORMALS else truth
