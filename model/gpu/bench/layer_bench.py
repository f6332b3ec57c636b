"""One mixture-of-experts layer: our kernels and every baseline in one run."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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

    @property
    def speed_up(self) -> float:
        """Time of the best baseline over ours."""
        first, *others = (row.timing.median_ms for row in self.rows)
        return min(others) / first

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {"format": FORMAT, **asdict(self), "speed_up": self.speed_up}


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
        variants = variants_of(layer, setting)
        _require_agreement(variants, inputs[0])
        found = [_row(variant, inputs, work, setting) for variant in variants]
    return LayerResult(
        model=config.name,
        tokens=config.tokens,
        batch=batch,
        kind=str(setting.kind).removeprefix("torch."),
        rows=found,
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


def _require_agreement(variants: Sequence[Variant], x: Tensor) -> None:
    first, *others = variants
    expected = first.run(x, x).float()
    for other in others:
        if not other.same_result:
            continue
        error = (other.run(x, x).float() - expected).square().mean().sqrt()
        relative = float(error / expected.square().mean().sqrt())
        if not relative <= AGREEMENT:
            raise DeviceError(
                f"{other.name} differs from {first.name} by {relative:.3f} of the result, expected "
                f"at most {AGREEMENT}; timings of a wrong result mean nothing"
            )
