"""A quantised model as one ``.npz`` file: every array by its path, the configuration, a digest."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import ConfigurationError, DigestMismatchError, PackageError
from m3vit.hw.files import write_atomic
from m3vit.hw.quantised import QuantisedModel

Array = NDArray[Any]

CONFIG_KEY = "config"
DIGEST_KEY = "digest"
_UNREADABLE = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, OSError, TypeError)


def flatten(value: object, path: str = "") -> Iterator[tuple[str, Array]]:
    """Every array and number inside nested dataclasses and tuples, with its dotted path."""
    if isinstance(value, ModelConfig):
        yield CONFIG_KEY, np.array(json.dumps(value.to_dict(), sort_keys=True))
    elif is_dataclass(value):
        for field in fields(value):
            yield from flatten(getattr(value, field.name), f"{path}.{field.name}".strip("."))
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from flatten(item, f"{path}.{number}")
    else:
        yield path, np.asarray(value)


def digest_of_arrays(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes; 64 hexadecimal digits."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def quantised_digest(model: QuantisedModel) -> str:
    """Digest of every integer and of the configuration."""
    return digest_of_arrays(dict(flatten(model)))


def save_quantised(path: Path, model: QuantisedModel) -> Path:
    """Write ``model`` to ``path`` (``.npz``), at once or not at all.

    Raises:
        WriteError: the disk is full or forbidden.
    """
    arrays = dict(flatten(model))
    arrays[DIGEST_KEY] = np.array(digest_of_arrays(arrays))
    return write_atomic(path, lambda stream: np.savez(stream, **arrays))


def _rebuild(kind: Any, path: str, arrays: Mapping[str, Array]) -> Any:
    if kind is ModelConfig:
        return ModelConfig.from_dict(json.loads(str(arrays[CONFIG_KEY])))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        parts = {f.name: f"{path}.{f.name}".strip(".") for f in fields(kind)}
        return kind(**{n: _rebuild(hints[n], p, arrays) for n, p in parts.items()})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        return tuple(_items(get_args(kind)[0], path, arrays))
    return _leaf(kind, path, arrays[path])


def _items(kind: Any, path: str, arrays: Mapping[str, Array]) -> Iterator[Any]:
    number = 0
    while any(name.startswith(f"{path}.{number}.") for name in arrays):
        yield _rebuild(kind, f"{path}.{number}", arrays)
        number += 1


def _leaf(kind: Any, path: str, array: Array) -> Any:
    if kind in (int, float, bool):
        return kind(array)
    expected = get_args(get_args(kind)[1])[0]
    if array.dtype != expected:
        raise ValueError(f"{path} is {array.dtype}, expected {np.dtype(expected)}")
    return array


def _read(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise PackageError(f"no quantised model at {path}; make one with `m3vit quantize`")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        arrays[DIGEST_KEY], arrays[CONFIG_KEY]
    except _UNREADABLE as error:
        raise PackageError(
            f"{path} is no quantised model or is truncated ({error}); make it again with "
            "`m3vit quantize`"
        ) from error
    return arrays


def load_quantised(path: Path, config: ModelConfig | None = None) -> QuantisedModel:
    """Read what :func:`save_quantised` wrote, of any configuration or only of ``config``.

    Raises:
        PackageError: the file is missing, truncated, or for another configuration.
        DigestMismatchError: the file was edited.
    """
    arrays = _read(path)
    expected = str(arrays.pop(DIGEST_KEY))
    found = digest_of_arrays(arrays)
    if found != expected:
        raise DigestMismatchError(
            f"{path} was edited: its digest is {found[:12]}, expected {expected[:12]}; make it "
            "again with `m3vit quantize`"
        )
    try:
        model: QuantisedModel = _rebuild(QuantisedModel, "", arrays)
    except (*_UNREADABLE, ConfigurationError) as error:
        raise PackageError(f"{path} was written by another version: {error}") from error
    if config is not None and model.config.digest != config.digest:
        raise PackageError(
            f"{path} holds {model.config.name} ({model.config.digest[:12]}), expected "
            f"{config.name} ({config.digest[:12]}); quantise that model instead"
        )
    return model
