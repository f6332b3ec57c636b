"""A package's layers in C simulation against the integers recorded in the package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hls.compare import Difference, compared, first_difference
from m3vit.hls.csim import Csim, compile_project
from m3vit.hls.layer import HlsLayer, Kind, Parallelism
from m3vit.hls.project import generate
from m3vit.hls.reference import LayerResult, expected
from m3vit.hw.errors import PackageError
from m3vit.hw.formats import Int32

Progress = Callable[[str], None]
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class LayerCheck:
    """What the calls of one layer gave."""

    layer: str
    calls: int
    integers: int
    """Integers compared, all calls together."""
    difference: Difference | None

    def to_dict(self) -> dict[str, object]:
        """Plain values, fit for JSON."""
        return {
            "layer": self.layer,
            "calls": self.calls,
            "integers": self.integers,
            "equal": self.difference is None,
            "difference": str(self.difference) if self.difference else None,
        }


def recorded(golden: Arrays, layer: HlsLayer) -> tuple[Int32, LayerResult]:
    """Input and result of ``layer`` as the package's sample holds them, for the first task.

    Raises:
        PackageError: the sample lacks the layer.
    """
    block = layer.name.split(".")[0].removeprefix("block")
    try:
        stages = {"normalised": golden[f"layers.{block}.ln2"].astype(np.int32)}
        if layer.gates:
            stages.update(_plan(golden[f"layers.{block}.plan"]))
        stages["out"] = golden[f"layers.{block}.out"].astype(np.int32)
        source = golden[f"layers.{block}.mid"].astype(np.int32)
    except KeyError as error:
        raise PackageError(f"the package's sample lacks {error}; compile it again") from error
    if layer.kind is Kind.GATE:
        return stages["normalised"], LayerResult(stages={k: stages[k] for k in _CHOICES})
    return source, LayerResult(stages=stages)


_CHOICES = ("experts", "weights")


def _plan(records: NDArray[Any]) -> dict[str, Int32]:
    parts = records.reshape(len(records), -1, 4).astype(np.int32)
    return {"experts": parts[..., 0], "weights": parts[..., 2] | parts[..., 3] << 8}


def check_layer(
    layer: HlsLayer,
    golden: Arrays,
    out: Path,
    parallelism: Parallelism | None = None,
    progress: Progress = lambda text: None,
) -> LayerCheck:
    """Generate, compile and run ``layer``: the sample, other images and tasks, the sample again.

    The first and the last call are the same and are compared with the package's record, those
    between with the golden operators.
    """
    progress(f"{layer.name}: compiling")
    program = compile_project(layer, generate(layer, out / layer.name, parallelism))
    progress(f"{layer.name}: running")
    source, wanted = recorded(golden, layer)
    return _run(program, source, wanted)


def _run(program: Csim, source: Int32, wanted: LayerResult) -> LayerCheck:
    layer = program.layer
    calls = [(source, 0, wanted)]
    for number, image in enumerate(_variants(source), start=1):
        task = number % layer.tasks
        calls.append((image, task, expected(layer, image, task)))
    calls.append(calls[0])
    results = program.run([image for image, _, _ in calls], [task for _, task, _ in calls])
    differences = [
        first_difference(f"{layer.name} call {number}", got, want)
        for number, (got, (_, _, want)) in enumerate(zip(results, calls, strict=True))
    ]
    return LayerCheck(
        layer=layer.name,
        calls=len(calls),
        integers=sum(compared(want) for _, _, want in calls),
        difference=next((found for found in differences if found), None),
    )


def _variants(source: Int32) -> tuple[Int32, Int32]:
    """Two other images: every token the same (one queue gets all), and all tokens reversed."""
    return np.repeat(source[:1], len(source), axis=0), np.ascontiguousarray(source[::-1])
