"""Comparison of a kernel's arrays with the golden ones: the first difference by name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from m3vit.hls.reference import LayerResult
from m3vit.hw.formats import Int32

AXES: Mapping[str, tuple[str, str]] = {
    "normalised": ("token", "channel"),
    "experts": ("token", "rank"),
    "weights": ("token", "rank"),
    "out": ("token", "channel"),
}
"""Names of the axes of every stage, in order of computation."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first element that differs, in order of computation."""

    layer: str
    stage: str
    place: tuple[int, int]
    got: int
    expected: int
    count: int
    """Elements of this stage that differ."""

    def __str__(self) -> str:
        names = AXES[self.stage]
        where = ", ".join(f"{name} {at}" for name, at in zip(names, self.place, strict=True))
        return (
            f"{self.layer}: {self.stage} differs first at {where}: got {self.got}, expected "
            f"{self.expected} ({self.count} of this stage differ)"
        )


def first_difference(layer: str, got: LayerResult, wanted: LayerResult) -> Difference | None:
    """The first difference of ``got`` from ``wanted``, None if all of its stages are equal.

    A stage that ``wanted`` has and ``got`` lacks counts as a difference everywhere.
    """
    for stage in AXES:
        if stage in wanted.stages:
            found = _in_stage(layer, stage, got.stages.get(stage), wanted[stage])
            if found is not None:
                return found
    return None


def _in_stage(layer: str, stage: str, got: Int32 | None, wanted: Int32) -> Difference | None:
    if got is None or got.shape != wanted.shape:
        wrong = np.ones(wanted.shape, bool)
        shown = np.zeros(wanted.shape, np.int32)
    else:
        wrong, shown = got != wanted, got
    if not wrong.any():
        return None
    token, other = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return Difference(
        layer=layer,
        stage=stage,
        place=(int(token), int(other)),
        got=int(shown[token, other]),
        expected=int(wanted[token, other]),
        count=int(wrong.sum()),
    )


def compared(wanted: LayerResult) -> int:
    """Integers that a comparison with ``wanted`` looks at."""
    return sum(stage.size for stage in wanted.stages.values())
