"""Finding and reading the files of data sets, with errors that name the file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from m3vit.hw.errors import DatasetError


def require_folder(path: Path, what: str) -> Path:
    """Return ``path`` if it is a folder.

    Raises:
        DatasetError: it is not; ``what`` says what it should hold.
    """
    if not path.is_dir():
        raise DatasetError(f"folder {path} is missing, expected {what}")
    return path


def require_files(paths: Sequence[Path], what: str) -> None:
    """Check that every path is a file.

    Raises:
        DatasetError: some are missing; names the first and the number of all.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DatasetError(
            f"file {missing[0]} is missing ({len(missing)} of {len(paths)} such files), "
            f"expected {what}"
        )


def read_names(path: Path, what: str) -> list[str]:
    """Non-empty lines of a text file that lists images.

    Raises:
        DatasetError: the file is missing or empty.
    """
    require_files([path], what)
    names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not names:
        raise DatasetError(f"file {path} is empty, expected {what}")
    return names


def _reading(path: Path, kind: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # the readers raise whatever a broken file makes them
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DatasetError(f"{path} cannot be read: {reason}; expected {kind}") from error


def read_labels(path: Path) -> NDArray[Any]:
    """Pixels of an image file as stored, without conversion (palette indices stay indices).

    Raises:
        DatasetError: the file is not an image.
    """

    def read() -> NDArray[Any]:
        with Image.open(path) as picture:
            return np.asarray(picture).copy()

    labels: NDArray[Any] = _reading(path, "an image of labels", read)
    return labels


def read_array(path: Path) -> NDArray[Any]:
    """Array of a .npy file, without trailing axes of length one beyond the second.

    Raises:
        DatasetError: the file is not such an array.
    """
    array: NDArray[Any] = _reading(path, "a .npy array", lambda: np.load(path, allow_pickle=False))
    return array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array


def read_matlab(path: Path, variable: str) -> NDArray[Any]:
    """Variable of a MATLAB 5 .mat file, structures as record arrays.

    Raises:
        DatasetError: the file is not such a file, or lacks the variable.
    """
    from scipy.io import loadmat

    content = _reading(path, "a MATLAB 5 file", lambda: loadmat(str(path)))
    if variable not in content:
        raise DatasetError(f"{path} lacks the variable {variable}, expected it in this data set")
    value: NDArray[Any] = content[variable]
    return value


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        DatasetError: the file is not JSON.
    """
    return _reading(path, "a JSON file", lambda: json.loads(path.read_text()))
