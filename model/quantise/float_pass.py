"""One image through the float network, with everything that integers are compared with."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from m3vit.hw.formats import Float64
from m3vit.hw.routing import RoutingPlan
from m3vit.model.images import to_tensor
from m3vit.model.network import M3ViT

RESIDUALS = ("embed", "mid", "out")
ROUTING = ("logits", "topk", "weights")


@dataclass
class FloatPass:
    """What one pass of the network gave; filled while it runs."""

    residual: dict[tuple[str, int], Float64] = field(default_factory=dict)
    """Residual stream [T, d] after "embed" (block 0), attention ("mid") and block ("out")."""
    routing: dict[tuple[str, int], Float64] = field(default_factory=dict)
    """Gate "logits" [T, E], "topk" and "weights" [T, K] of MoE blocks."""
    logits: Float64 = field(default_factory=lambda: np.zeros(0))
    """Head logits [channels, h, w], before the last doubling."""
    prediction: Tensor = field(default_factory=lambda: torch.zeros(0))
    """[1, channels, H, W]."""

    def observe(self, name: str, block: int, value: Tensor, expert: int | None) -> None:
        """Observer of the network, for a batch of one."""
        if name in RESIDUALS:
            self.residual[name, block] = value[0].double().numpy()
        elif name in ROUTING:
            self.routing[name, block] = value[0].double().numpy()
        elif name == "head_logits":
            self.logits = value[0].double().numpy()

    def plans(self, experts: int) -> dict[int, RoutingPlan]:
        """The network's own routing as plans to impose on the integer model."""
        blocks = [block for name, block in self.routing if name == "topk"]
        return {block: self._plan(block, experts) for block in blocks}

    def _plan(self, block: int, experts: int) -> RoutingPlan:
        codes = np.floor(self.routing["weights", block] * 65536 + 0.5)
        return RoutingPlan.from_choices(
            self.routing["topk", block].astype(np.int64),
            np.minimum(codes, 65535).astype(np.int64),
            experts=experts,
        )


@torch.no_grad()
def run_float(network: M3ViT, image: NDArray[np.uint8], task: str) -> FloatPass:
    """Run ``network`` on one image (uint8 [H, W, 3]) for ``task``."""
    seen = FloatPass()
    seen.prediction = network(to_tensor(image)[None], task, seen.observe)
    return seen
