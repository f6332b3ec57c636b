"""Rendered scenes kept on disk: rendering costs as much as a training step, reading nothing."""

import hashlib
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.files import directory_atomic
from m3vit.model.data.sample import Sample
from m3vit.model.data.scenes import render_scene

_STORED: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "image": (np.uint8, (3,)),
    "segmentation": (np.uint8, ()),
    "depth": (np.float16, ()),
    "normals": (np.int8, (3,)),
    "edges": (np.uint8, ()),
    "saliency": (np.uint8, ()),
}
"""Stored dtype and channels; normals are rounded to 1/127."""


def _stored(sample: Sample) -> dict[str, NDArray[np.generic]]:
    values: dict[str, NDArray[np.generic]] = {"image": sample.image, **sample.targets}
    values["normals"] = np.rint(np.asarray(values["normals"], np.float32) * 127)
    return {name: values[name].astype(dtype) for name, (dtype, _) in _STORED.items()}


def _render(job: tuple[int, int, int]) -> dict[str, NDArray[np.generic]]:
    return _stored(render_scene(*job))


def _renderer_version() -> str:
    """Eight digits that change with the renderer, so that old caches are not taken for new."""
    digest = hashlib.sha256()
    for seed in range(8):
        sample = render_scene(seed, 32, 64)
        for value in (sample.image, *sample.targets.values()):
            digest.update(value.tobytes())
    return digest.hexdigest()[:8]


def _fill(folder: Path, seeds: range, height: int, width: int, workers: int) -> None:
    arrays = {
        name: np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
            folder / f"{name}.npy", "w+", dtype, (len(seeds), height, width, *channels)
        )
        for name, (dtype, channels) in _STORED.items()
    }
    jobs = [(seed, height, width) for seed in seeds]
    with ProcessPoolExecutor(workers) as pool:
        for index, values in enumerate(pool.map(_render, jobs, chunksize=32)):
            for name, value in values.items():
                arrays[name][index] = value
            if index % 1000 == 999:
                print(f"rendered {index + 1}/{len(seeds)} scenes", file=sys.stderr, flush=True)
    for array in arrays.values():
        array.flush()


def cached_scenes(
    folder: Path, seeds: range, height: int, width: int, workers: int = 2
) -> dict[str, NDArray[np.generic]]:
    """Memory-mapped arrays [scenes, height, width, ...] of ``seeds``, rendered if not there.

    Args:
        folder: where caches lie; each seed range and size has a folder of its own below it.
        seeds: consecutive seeds.
        height: rows of pixels.
        width: columns of pixels.
        workers: processes that render.

    Raises:
        WriteError: the disk is full or forbidden.
    """
    version = _renderer_version()
    path = folder / f"scenes-{height}x{width}-{seeds.start}-{seeds.stop}-{version}"
    if not path.is_dir():
        with directory_atomic(path) as work:
            _fill(work, seeds, height, width, workers)
    return {name: np.load(path / f"{name}.npy", mmap_mode="r") for name in _STORED}
