"""What every stage of a layer holds against the format that it is given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hls.layer import HlsLayer
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import RESIDUAL_BITS, Int8, Int32
from m3vit.hw.golden.expert import weigh
from m3vit.hw.golden.gate import logits, route
from m3vit.hw.golden.gelu import gelu
from m3vit.hw.golden.layernorm import layer_norm, residual_view
from m3vit.hw.golden.linear import accumulate
from m3vit.hw.golden.requantise import requantise8, requantise18
from m3vit.hw.quantised import Expert

ACCUMULATOR_BITS = 27
LOGIT_BITS = 32
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True, kw_only=True)
class Range:
    """One stage of one layer: its format and what it held."""

    layer: str
    stage: str
    bits: int
    """Of the signed format."""
    smallest: int
    largest: int
    quantiles: tuple[float, ...]
    """Of the magnitudes, at ``QUANTILES``."""
    limited: float
    """Share of values at either end of the format."""

    @property
    def bits_used(self) -> int:
        """Signed bits that all values need."""
        return max(self.largest.bit_length(), (-self.smallest - 1).bit_length(), 0) + 1

    def to_dict(self) -> dict[str, object]:
        """Plain values, fit for JSON."""
        return {
            "layer": self.layer,
            "stage": self.stage,
            "bits": self.bits,
            "bits_used": self.bits_used,
            "smallest": self.smallest,
            "largest": self.largest,
            "limited": self.limited,
        }


def ranges_of(layer: HlsLayer, x18: Int32, task: int = 0) -> list[Range]:
    """The stages of ``layer`` on the residual stream ``x18`` [T, d], in order.

    Raises:
        ConfigurationError: ``layer`` is a gate alone.
    """
    if layer.norm is None or layer.mlp is None:
        raise ConfigurationError(f"layer {layer.name} has no experts, give the layer around it")
    view = residual_view(x18)
    h = layer_norm(view, layer.norm)
    stages: dict[str, tuple[int, list[NDArray[Any]]]] = {
        "residual in": (RESIDUAL_BITS, [x18]),
        "as read": (16, [view]),
        "normalised": (8, [h]),
    }
    if layer.gates:
        stages["logits"] = (LOGIT_BITS, [logits(h, layer.gates[task])])
    for part in _experts(layer, h, task):
        for stage, (bits, values) in part.items():
            stages.setdefault(stage, (bits, []))[1].append(values)
    return [_range(layer.name, stage, bits, values) for stage, (bits, values) in stages.items()]


def _experts(layer: HlsLayer, h: Int8, task: int) -> Iterator[dict[str, tuple[int, NDArray[Any]]]]:
    mlp = layer.mlp
    assert mlp is not None
    if not layer.gates:
        for expert in mlp.experts:
            yield _stages(expert, h, mlp.gelu)
        return
    plan = route(h, layer.gates[task], layer.top_k)
    for number, expert in enumerate(mlp.experts):
        pairs = plan.pairs(number)
        if plan.counts[number]:
            stages = _stages(expert, h[plan.tokens[pairs]], mlp.gelu)
            y = stages["fc2"][1].astype(np.int32)
            weighed = weigh(y, plan.weights[pairs], mlp.guard_bits)
            yield {**stages, "contribution": (RESIDUAL_BITS, weighed)}


def _stages(expert: Expert, h: Int8, table: Int8) -> dict[str, tuple[int, NDArray[Any]]]:
    first = accumulate(h, expert.fc1)
    inner = requantise8(first, expert.fc1.factor, expert.fc1.shift)
    hidden = gelu(inner, expert.hidden_class, table)
    second = accumulate(hidden, expert.fc2)
    return {
        "fc1 sums": (ACCUMULATOR_BITS, first),
        "fc1": (8, inner),
        "gelu": (8, hidden),
        "fc2 sums": (ACCUMULATOR_BITS, second),
        "fc2": (RESIDUAL_BITS, requantise18(second, expert.fc2.factor, expert.fc2.shift)),
    }


def _range(layer: str, stage: str, bits: int, parts: Sequence[NDArray[Any]]) -> Range:
    values = np.concatenate([part.reshape(-1).astype(np.int64) for part in parts])
    top = (1 << (bits - 1)) - 1
    return Range(
        layer=layer,
        stage=stage,
        bits=bits,
        smallest=int(values.min()),
        largest=int(values.max()),
        quantiles=tuple(float(q) for q in np.quantile(np.abs(values), QUANTILES)),
        limited=float(np.mean((values >= top) | (values <= -top - 1))),
    )
