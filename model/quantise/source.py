"""What every part of the export reads: the float network and its calibrated ranges."""

from dataclasses import dataclass

import torch

from m3vit.hw.config import ModelConfig
from m3vit.hw.formats import RESIDUAL_GUARD_BITS, Float64
from m3vit.model.network import M3ViT
from m3vit.model.quantise.ranges import Ranges
from m3vit.model.quantise.scales import residual_fraction
from m3vit.model.quantise.weights import Weights, read_weights


@dataclass(frozen=True, kw_only=True)
class Source:
    """A float network in numpy.  ``task_features`` is empty unless gates are conditioned."""

    config: ModelConfig
    weights: Weights
    ranges: Ranges
    task_features: tuple[Float64, ...]
    fraction: int
    """f: the residual is read as int16 at 2^-f."""

    @property
    def residual_unit(self) -> float:
        """Value of one code of the residual store."""
        return 2.0 ** -(self.fraction + RESIDUAL_GUARD_BITS)


@torch.no_grad()
def _task_features(network: M3ViT) -> tuple[Float64, ...]:
    embed = network.backbone.gate_task_represent
    if embed is None:
        return ()
    tasks = range(len(network.config.tasks))
    return tuple(embed(task).cpu().double().numpy() for task in tasks)


def make_source(network: M3ViT, ranges: Ranges) -> Source:
    """Read ``network``'s weights and choose the residual's scale.

    Raises:
        QuantisationError: a weight is not finite, or the residual exceeds every scale.
    """
    added = ("embed", "mid", "out", "expert_out")
    peak = max((float(entry.peak.max()) for entry in ranges.named(added)), default=0.0)
    return Source(
        config=network.config,
        weights=read_weights(network.state_dict()),
        ranges=ranges,
        task_features=_task_features(network),
        fraction=residual_fraction(peak),
    )
