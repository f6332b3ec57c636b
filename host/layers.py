"""A traced run layer by layer, and the first integer in which two runs differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.host.devices.device import DeviceRun
from m3vit.host.driver.traced import PLAN, rows_of
from m3vit.hw.compiler.tracing import TraceRegion
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import UInt8
from m3vit.hw.package import Package

_TYPES: Mapping[str, str] = MappingProxyType(
    {"INT8": "<i1", "INT16": "<i2", "INT32": "<i4", PLAN: "<u2"}
)
"""Of a region's elements; a rank of a plan is an expert and a weight, 16 bit each."""

RESULT = "result"


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """Integers of one layer, [tokens, columns]."""

    name: str
    block: int
    kind: str
    """Element format of the trace region."""
    values: NDArray[Any]

    def column(self, number: int) -> str:
        """What a column is, for people."""
        if self.kind != PLAN:
            return f"channel {number}"
        return f"rank {number // 2}'s {('expert', 'weight')[number % 2]}"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first integer of a layer that is not as expected."""

    block: int
    layer: str
    token: int
    column: str
    expected: int
    got: int
    different: int
    """Integers of the layer that differ."""
    compared: int

    def __str__(self) -> str:
        return (
            f"block {self.block}, layer {self.layer}, token {self.token}, {self.column}: expected "
            f"{self.expected}, got {self.got} ({self.different} of the layer's {self.compared} "
            "integers differ)"
        )


def layers_of(package: Package, run: DeviceRun) -> Iterator[Layer]:
    """Every traced layer in the order of execution, then the result.

    Raises:
        DeviceError: the run was made without a trace.
    """
    if run.trace is None:
        raise DeviceError("the device returned no trace; only reference and rtl devices record one")
    for region in package.trace:
        yield Layer(
            name=region.name,
            block=region.block,
            kind=region.element,
            values=_values(region, run.trace),
        )
    last = max((region.block for region in package.trace), default=0)
    yield Layer(name=RESULT, block=last, kind="INT16", values=run.result)


def _values(region: TraceRegion, trace: UInt8) -> NDArray[Any]:
    kind = np.dtype(_TYPES[region.element])
    size = 4 if region.element == PLAN else kind.itemsize
    rows = rows_of(region, trace)[:, : region.columns * size]
    return np.ascontiguousarray(rows).view(kind)


def difference(expected: Layer, got: Layer) -> Difference | None:
    """The first integer that differs, by token, then column; None if the layers are equal."""
    wrong = np.argwhere(expected.values != got.values)
    if not len(wrong):
        return None
    token, column = map(int, wrong[0])
    return Difference(
        block=expected.block,
        layer=expected.name,
        token=token,
        column=expected.column(column),
        expected=int(expected.values[token, column]),
        got=int(got.values[token, column]),
        different=len(wrong),
        compared=expected.values.size,
    )


def recorded(golden: Mapping[str, NDArray[Any]], layer: Layer, task: str) -> Layer:
    """What a package's recorded sample says of ``layer``, evaluated when it was compiled.

    Args:
        golden: the arrays of ``Package.golden``.
        layer: of a traced run of the recorded image.
        task: the first task's name, the only one whose layers are recorded.
    """
    if layer.name == RESULT:
        return replace(layer, values=golden[f"{task}.{RESULT}"])
    values = golden[f"layers.{layer.block}.{layer.name}"]
    return replace(layer, values=values.view("<u2") if layer.kind == PLAN else values)
