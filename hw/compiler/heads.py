"""Task heads in the memory image: tensors with a table that the host reads."""

import math
from typing import Any

import numpy as np

from m3vit.hw.compiler.memory import MemoryImage
from m3vit.hw.errors import PackageError
from m3vit.hw.quantised import Convolution, Head, LayerNorm
from m3vit.hw.ranges import shown

_NORM_TYPES = {"gamma": "<i2", "beta": "<i4"}
_CONVOLUTION_TYPES = {"weight": "|i1", "bias": "<i4", "factor": "<u2"}


def _place(
    memory: MemoryImage, name: str, owner: object, types: dict[str, str]
) -> dict[str, object]:
    entries: dict[str, object] = {}
    for field, dtype in types.items():
        array = np.ascontiguousarray(getattr(owner, field), dtype)
        offset = memory.place(f"{name}.{field}", "head", array.tobytes())
        entries[field] = {"offset": offset, "shape": list(array.shape)}
    return entries


def place_head(memory: MemoryImage, task: str, head: Head) -> dict[str, object]:
    """Append a head's tensors and return its entry for the manifest."""
    convolutions = []
    for number, layer in enumerate(head.convolutions):
        entry = _place(memory, f"heads.{task}.conv_{number}", layer, _CONVOLUTION_TYPES)
        convolutions.append({**entry, "shift": layer.shift, "upsampled": layer.upsampled})
    norm = _place(memory, f"heads.{task}.norm", head.norm, _NORM_TYPES)
    return {
        "task": task,
        "norm": {**norm, "shift": head.norm.shift, "epsilon": head.norm.epsilon},
        "convolutions": convolutions,
        "logit_scale": [float(value) for value in head.logit_scale],
    }


def _whole(value: object) -> int:
    if type(value) is not int:
        raise PackageError(f"{shown(value)} stands where a head needs an integer; compile it again")
    return value


def _tensor(data: bytes, entry: dict[str, Any], dtype: str) -> np.ndarray[Any, Any]:
    shape, start = tuple(map(_whole, entry["shape"])), _whole(entry["offset"])
    count = math.prod(shape)
    end = start + count * np.dtype(dtype).itemsize
    if min((start, *shape)) < 0 or end > len(data):
        raise PackageError(
            f"a head tensor of shape {shown(shape)} ends at byte {end} of a weights file of "
            f"{len(data)}; compile the package again"
        )
    return np.frombuffer(data, dtype, count, start).reshape(shape)


def _tensors(
    data: bytes, entry: dict[str, Any], types: dict[str, str]
) -> dict[str, np.ndarray[Any, Any]]:
    return {field: _tensor(data, entry[field], dtype) for field, dtype in types.items()}


def head_from_memory(data: bytes, entry: dict[str, Any]) -> Head:
    """Inverse of :func:`place_head`.

    Raises:
        PackageError: a tensor lies outside the image.
    """
    norm = entry["norm"]
    return Head(
        norm=LayerNorm(
            **_tensors(data, norm, _NORM_TYPES),
            shift=_whole(norm["shift"]),
            epsilon=_whole(norm["epsilon"]),
        ),
        convolutions=tuple(
            Convolution(
                **_tensors(data, layer, _CONVOLUTION_TYPES),
                shift=_whole(layer["shift"]),
                upsampled=layer["upsampled"] is True,
            )
            for layer in entry["convolutions"]
        ),
        logit_scale=np.asarray(entry["logit_scale"], np.float64),
    )
