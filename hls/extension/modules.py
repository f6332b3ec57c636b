"""PyTorch modules that mirror our layers on integers: what hls4ml converts and is compared with.

They carry the quantised integers of an :class:`HlsLayer`; their forward pass is the golden
reference.  ``HLS4MLModule`` keeps hls4ml's tracer out of them.
"""

import numpy as np
import torch
from hls4ml.utils.torch import HLS4MLModule
from torch import Tensor

from m3vit.hls.from_model import moe_layer, router_layer
from m3vit.hls.layer import HlsLayer, Kind
from m3vit.hls.reference import expected
from m3vit.hw.errors import ConfigurationError


class M3vitLayer(HLS4MLModule):
    """A layer of a package for one task; integers in, integers out, as floats.

    Args:
        layer: any layer of ours; its weights are packed into a memory of their own.
        task: whose gate routes.

    Raises:
        ConfigurationError: the layer is of another kind, or has no such task.
    """

    kind: Kind

    def __init__(self, layer: HlsLayer, task: int = 0) -> None:
        super().__init__()
        if layer.kind is not self.kind or not 0 <= task < layer.tasks:
            raise ConfigurationError(
                f"{type(self).__name__} got layer {layer.name} and task {task}, expected a "
                f"{self.kind.value} layer and a task of 0 to {layer.tasks - 1}"
            )
        self.layer = _alone(layer)
        self.task = task

    def forward(self, x: Tensor) -> Tensor:
        """[batch, T, d] to [batch, T, d], or to [batch, T, 2K] for a gate."""
        results = [self._one(image) for image in x.detach().cpu().numpy()]
        return torch.from_numpy(np.stack(results)).to(x.dtype)

    def _one(self, image: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        result = expected(self.layer, np.rint(image).astype(np.int32), self.task)
        if self.kind is not Kind.GATE:
            return result["out"]
        pairs = np.stack([result["experts"], result["weights"]], axis=-1)
        return pairs.reshape(len(pairs), -1)


class M3vitMoe(M3vitLayer):
    """x + experts(layer_norm(x)): int18 [T, d]."""

    kind = Kind.MOE


class M3vitMlp(M3vitLayer):
    """x + mlp(layer_norm(x)): int18 [T, d]."""

    kind = Kind.MLP


class M3vitGate(M3vitLayer):
    """The router: int8 [T, d] to expert, weight, expert, weight ... [T, 2K], best first."""

    kind = Kind.GATE


MODULES = {module.kind: module for module in (M3vitMoe, M3vitMlp, M3vitGate)}


def module_of(layer: HlsLayer, task: int = 0) -> M3vitLayer:
    """The module of ``layer``'s kind."""
    return MODULES[layer.kind](layer, task)


def _alone(layer: HlsLayer) -> HlsLayer:
    """``layer`` in a memory that holds nothing else."""
    sizes = {"tokens": layer.tokens, "top_k": layer.top_k}
    if layer.norm is None or layer.mlp is None:
        return router_layer(layer.name, layer.machine, gates=layer.gates, **sizes)
    return moe_layer(
        layer.name, layer.machine, norm=layer.norm, gates=layer.gates, mlp=layer.mlp, **sizes
    )
