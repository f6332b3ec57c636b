"""Routing traces: plans with task, image and block, in one .npz that is replayed without a model.

Arrays of the file: ``format`` (1), ``task``, ``image`` (text), ``block``, ``shape`` [n, 3] (tokens,
top_k, experts of each plan) and, all plans one after the other, ``chosen`` uint8 and ``weight``
uint16 in the order [token, rank].
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import ConfigurationError, PackageError
from m3vit.hw.files import write_atomic
from m3vit.hw.routing import RoutingPlan

FORMAT = 1
_KINDS = {
    "format": "iu",
    "task": "U",
    "image": "U",
    "block": "iu",
    "shape": "iu",
    "chosen": "iu",
    "weight": "iu",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class TracedPlan:
    """The plan of one block for one image and task."""

    task: str
    image: str
    block: int
    plan: RoutingPlan


def save_trace(path: Path, trace: Sequence[TracedPlan]) -> Path:
    """Write ``trace`` to ``path`` (.npz), at once or not at all.

    Raises:
        WriteError: the file system refused.
    """
    plans = [entry.plan for entry in trace]
    choices = [plan.per_token() for plan in plans]
    shapes = [(plan.token_count, plan.top_k, len(plan.counts)) for plan in plans]
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array(FORMAT),
        "task": np.array([entry.task for entry in trace], dtype=np.str_),
        "image": np.array([entry.image for entry in trace], dtype=np.str_),
        "block": np.array([entry.block for entry in trace], dtype=np.int32),
        "shape": np.array(shapes, dtype=np.int32).reshape(-1, 3),
        "chosen": _joined([chosen for chosen, _ in choices], np.uint8),
        "weight": _joined([weight for _, weight in choices], np.uint16),
    }
    return write_atomic(path, lambda stream: np.savez_compressed(stream, **arrays))


def _joined(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *(part.reshape(-1) for part in parts)])


def load_trace(path: Path) -> list[TracedPlan]:
    """Read what :func:`save_trace` wrote, checked throughout.

    Raises:
        PackageError: the file is missing, damaged, of another format, or its plans are invalid.
    """
    arrays = _read(path)
    sizes = arrays["shape"][:, 0].astype(np.int64) * arrays["shape"][:, 1]
    if np.any(arrays["shape"] < 1) or int(sizes.sum()) != len(arrays["chosen"]):
        raise _malformed(path, f"{len(arrays['chosen'])} choices, its plans have {sizes.sum()}")
    stops = np.cumsum(sizes)
    try:
        return [
            _entry(arrays, number, slice(int(stop - size), int(stop)))
            for number, (size, stop) in enumerate(zip(sizes, stops, strict=True))
        ]
    except ConfigurationError as error:
        raise _malformed(path, str(error)) from error


def _entry(arrays: dict[str, NDArray[Any]], number: int, own: slice) -> TracedPlan:
    tokens, top_k, experts = (int(value) for value in arrays["shape"][number])
    plan = RoutingPlan.from_choices(
        arrays["chosen"][own].reshape(tokens, top_k),
        arrays["weight"][own].reshape(tokens, top_k),
        experts=experts,
    )
    return TracedPlan(
        task=str(arrays["task"][number]),
        image=str(arrays["image"][number]),
        block=int(arrays["block"][number]),
        plan=plan,
    )


def _malformed(path: Path, what: str) -> PackageError:
    return PackageError(f"{path} is no routing trace: {what}; record it again")


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackageError(f"cannot read routing trace {path}: {error.strerror}") from error
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise ValueError("it holds a single array")
        arrays = {name: loaded[name] for name in _KINDS}
    except Exception as error:  # a damaged archive raises whatever zip, zlib or numpy stumble on
        reason = str(error).splitlines() or [type(error).__name__]
        raise _malformed(path, reason[0]) from error
    _check_arrays(path, arrays)
    return arrays


def _check_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    for name, kinds in _KINDS.items():
        if arrays[name].dtype.kind not in kinds:
            raise _malformed(path, f"array {name} holds {arrays[name].dtype}")
    if arrays["format"].shape != () or int(arrays["format"]) != FORMAT:
        raise _malformed(path, f"format is {arrays['format'].tolist()}, expected {FORMAT}")
    count = arrays["block"].size
    shapes = {name: arrays[name].shape for name in ("task", "image", "block")}
    if set(shapes.values()) != {(count,)} or arrays["shape"].shape != (count, 3):
        raise _malformed(path, "its lists differ in length")
    if arrays["chosen"].ndim != 1 or arrays["chosen"].shape != arrays["weight"].shape:
        raise _malformed(path, "choices and weights differ in length")
