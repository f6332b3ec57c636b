"""What bias correction aims at: sums of the float network's residuals over calibration images.

Only sums are kept, so that the memory does not grow with the images.  Each residual stage has a
*design*: one row a token that says how much a correction reaches it.  It is the constant 1 where a
bias is added to every token, and the gate scores of the token's experts in MoE blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import Float64
from m3vit.hw.routing import RoutingPlan
from m3vit.model.network import M3ViT
from m3vit.model.quantise.float_pass import FloatPass, run_float

Stage = tuple[str, int]
GATE_SCALE = 65536


def design_of(plan: RoutingPlan | None, tokens: int) -> Float64:
    """[T, 1] of ones, or [T, E] of gate scores."""
    if plan is None:
        return np.ones((tokens, 1))
    rows = np.zeros((tokens, len(plan.counts)))
    rows[plan.tokens, plan.experts] = plan.weights / GATE_SCALE
    return rows


@dataclass
class Pass:
    """One image for one task, with the routing that the float network chose."""

    image: NDArray[np.uint8]
    task: int
    plans: dict[int, RoutingPlan]

    def plan(self, stage: Stage) -> RoutingPlan | None:
        """The routing that a correction at ``stage`` goes through."""
        name, block = stage
        return self.plans.get(block) if name == "out" else None


@dataclass
class Targets:
    """Float sums per stage: designᵀ · residual, per task the sum of mean logits."""

    passes: list[Pass] = field(default_factory=list)
    residual: dict[Stage, Float64] = field(default_factory=dict)
    logits: dict[int, Float64] = field(default_factory=dict)

    def add(self, image: NDArray[np.uint8], task: int, exact: FloatPass, experts: int) -> None:
        """Add one pass of the float network."""
        one = Pass(image, task, exact.plans(experts))
        self.passes.append(one)
        for stage, residual in exact.residual.items():
            product = design_of(one.plan(stage), len(residual)).T @ residual
            self.residual[stage] = self.residual.get(stage, 0.0) + product
        self.logits[task] = self.logits.get(task, 0.0) + exact.logits.mean((1, 2))

    def of_task(self, task: int) -> list[int]:
        """Numbers of the passes for ``task``."""
        return [number for number, one in enumerate(self.passes) if one.task == task]


def collect_targets(network: M3ViT, images: Sequence[NDArray[np.uint8]]) -> Targets:
    """Run ``network`` on all images and tasks."""
    targets = Targets()
    for number, task in enumerate(network.config.task_names):
        for image in images:
            exact = run_float(network, image, task)
            targets.add(image, number, exact, network.config.experts)
    return targets
