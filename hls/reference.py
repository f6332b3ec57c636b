"""What a layer's kernel must give, by the golden operators."""

from dataclasses import dataclass, field

import numpy as np

from m3vit.hls.layer import HlsLayer, Kind
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import Int8, Int32
from m3vit.hw.golden.expert import add_dense, add_experts
from m3vit.hw.golden.gate import route
from m3vit.hw.golden.layernorm import layer_norm, residual_view
from m3vit.hw.routing import RoutingPlan


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """One call of a layer.

    ``stages`` holds, in order of computation, the arrays that a comparison looks at: "normalised"
    [T, d], "experts" and "weights" [T, K] where the layer has them, and "out" [T, d].
    """

    stages: dict[str, Int32] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Int32:
        return self.stages[name]


def expected(layer: HlsLayer, values: Int32 | Int8, task: int = 0) -> LayerResult:
    """The golden result of ``values``: the residual stream [T, d], or int8 [T, d] for a gate.

    Raises:
        ConfigurationError: the shape does not fit the layer.
    """
    if values.shape != (layer.tokens, layer.width):
        raise ConfigurationError(
            f"layer {layer.name} got {values.shape}, expected {(layer.tokens, layer.width)}"
        )
    if layer.kind is Kind.GATE:
        return LayerResult(stages=_choices(_plan(layer, values.astype(np.int8), task)))
    return _feed_forward(layer, values.astype(np.int32), task)


def _feed_forward(layer: HlsLayer, x18: Int32, task: int) -> LayerResult:
    assert layer.norm is not None and layer.mlp is not None
    h = layer_norm(residual_view(x18), layer.norm)
    stages = {"normalised": h.astype(np.int32)}
    if layer.kind is Kind.MLP:
        out, _ = add_dense(x18, h, layer.mlp)
    else:
        plan = _plan(layer, h, task)
        stages.update(_choices(plan))
        out, _ = add_experts(x18, h, layer.mlp, plan)
    return LayerResult(stages={**stages, "out": out})


def _plan(layer: HlsLayer, h: Int8, task: int) -> RoutingPlan:
    return route(h, layer.gates[task], layer.top_k)


def _choices(plan: RoutingPlan) -> dict[str, Int32]:
    experts, weights = plan.per_token()
    return {"experts": experts.astype(np.int32), "weights": weights.astype(np.int32)}
