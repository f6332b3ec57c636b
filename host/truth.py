"""Ground truth from a file, as ``m3vit scene`` writes it: an .npz with one array a kind of task."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.host.pictures.paint import check_truth
from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import DatasetError


def read_truth(path: Path, config: ModelConfig, size: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """Targets by kind of task, of those kinds that ``config`` predicts.

    Raises:
        DatasetError: the file is missing or damaged, holds none of the kinds, or an array does not
            lie over an image of ``size`` (rows, columns).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DatasetError(f"{path} holds no ground truth: not an .npz archive")
            found: dict[str, NDArray[Any]] = {
                task.kind.value: file[task.kind.value]
                for task in config.tasks
                if task.kind.value in file.files
            }
    except FileNotFoundError as error:
        raise DatasetError(f"ground truth {path} does not exist; check the path") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"cannot read ground truth {path}: {error}") from error
    if not found:
        kinds = ", ".join(sorted({task.kind.value for task in config.tasks}))
        raise DatasetError(f"{path} holds no ground truth for any of {kinds}")
    for task in config.tasks:
        if task.kind.value in found:
            check_truth(task, found[task.kind.value], *size)
    return found
