"""One mixture-of-experts layer: our kernels and every baseline in one run."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import DeviceError
from m3vit.model.gpu.bench.baselines import (
    Variant,
    dense_dispatch,
    dense_twin,
    eager_loop,
    grouped_matmul,
    ours,
)
from m3vit.model.gpu.bench.layer import Layer, flops_of, least_bytes, random_layer
from m3vit.model.gpu.bench.libraries import adapted
from m3vit.model.gpu.bench.recording import recorded
from m3vit.model.gpu.bench.roofline import Roofline
from m3vit.model.gpu.bench.statistics import Timing
from m3vit.model.gpu.bench.timing import count_launches, measure, rotation
from m3vit.model.kernels.interface import Kernels

FORMAT = "m3vit-gpu-layer-1"
AGREEMENT = 0.05
"""Largest root-mean-square difference between variants, relative to the result's: two bfloat16
roundings an operand stay an order of magnitude below, a wrong expert far above."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant of one case."""

    variant: str
    timing: Timing
    launches: int
    """Kernels of one call."""
    recorded: bool
    """Whether it ran as a CUDA graph, that is with one launch from the host."""
    roofline_share: float
    """Of the layer's own least work; above that of another variant means faster."""


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """One size: every variant, ours first."""

    model: str
    tokens: int
    """Of one image."""
    batch: int
    kind: str
    rows: Sequence[Row]
    refused: Mapping[str, str] = field(default_factory=dict)
    """Baselines that do not run here, with their own words: memory, types, compilers."""

    @property
    def speed_up(self) -> float:
        """Time of the best baseline over ours; infinite if none ran."""
        first, *others = (row.timing.median_ms for row in self.rows)
        return min(others, default=math.inf) / first

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        speed_up = self.speed_up if math.isfinite(self.speed_up) else None
        return {"format": FORMAT, **asdict(self), "speed_up": speed_up}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all cases of a run share."""

    device: torch.device
    kind: torch.dtype
    kernels: Kernels
    roofline: Roofline
    repeats: int = 100
    libraries: Sequence[str] = ()
    """``MODULE:FUNCTION`` of further implementations."""
    compiled: bool = True


def variants_of(layer: Layer, setting: Setting) -> list[Variant]:
    """Ours, then the baselines."""
    return [
        ours(layer, setting.kernels),
        eager_loop(layer),
        dense_dispatch(layer, setting.compiled),
        grouped_matmul(layer),
        dense_twin(layer),
        *(adapted(spec, layer) for spec in setting.libraries),
    ]


def bench_layer(config: ModelConfig, batch: int, setting: Setting) -> LayerResult:
    """Time the layer of ``config`` on ``batch`` images.

    Raises:
        DeviceError: a variant's result differs from ours by more than rounding.
    """
    layer = random_layer(config, setting.device, setting.kind)
    rows = batch * config.tokens

    def make(seed: int) -> Tensor:
        generator = torch.Generator(setting.device).manual_seed(seed)
        x = torch.randn(rows, config.width, device=setting.device, generator=generator)
        return x.to(setting.kind)

    inputs = rotation(make)
    element = inputs[0].element_size()
    work = flops_of(config, rows), least_bytes(config, rows, element)
    with torch.no_grad():
        first, *others = variants_of(layer, setting)
        expected = first.run(inputs[0], inputs[0])
        found = [_row(first, inputs, work, setting)]
        refused: dict[str, str] = {}
        for other in others:
            try:
                _require_agreement(other, inputs[0], expected)
                found.append(_row(other, inputs, work, setting))
            except RuntimeError as error:
                refused[other.name] = (str(error).splitlines() or [type(error).__name__])[0]
    return LayerResult(
        model=config.name,
        tokens=config.tokens,
        batch=batch,
        kind=str(setting.kind).removeprefix("torch."),
        rows=found,
        refused=refused,
    )


def _row(
    variant: Variant, inputs: Sequence[Tensor], work: tuple[float, float], setting: Setting
) -> Row:
    def call(x: Tensor) -> Tensor:
        return variant.run(x, x)

    launches = count_launches(call, inputs[0])
    held: Callable[[Tensor], object] = recorded(call, inputs) if variant.recordable else call
    timing = measure(held, inputs, setting.repeats)
    return Row(
        variant=variant.name,
        timing=timing,
        launches=launches,
        recorded=variant.recordable and setting.device.type == "cuda",
        roofline_share=setting.roofline.fraction(*work, timing.median_ms),
    )


def _require_agreement(other: Variant, x: Tensor, expected: Tensor) -> None:
    result = other.run(x, x)
    if not other.same_result:
        return
    error = (result.float() - expected.float()).square().mean().sqrt()
    relative = float(error / expected.float().square().mean().sqrt())
    if not relative <= AGREEMENT:
        raise DeviceError(
            f"{other.name} differs from ours by {relative:.3f} of the result, expected at most "
            f"{AGREEMENT}; timings of a wrong result mean nothing"
        )
