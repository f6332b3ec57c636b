"""The integer model against the float network, image by image, for every task."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.config import TaskConfig, TaskKind
from m3vit.hw.evaluate import Evaluation, evaluate, evaluate_head
from m3vit.hw.formats import RESIDUAL_GUARD_BITS
from m3vit.hw.quantised import QuantisedModel
from m3vit.model.data.sample import Sample
from m3vit.model.data.scenes import SCENE_CLASSES
from m3vit.model.metrics.metric import Metric
from m3vit.model.metrics.registry import make_metric
from m3vit.model.network import M3ViT
from m3vit.model.quantise.agreement import Agreement
from m3vit.model.quantise.float_pass import FloatPass, run_float
from m3vit.model.quantise.predictions import dequantised, field_of
from m3vit.model.quantise.residual_error import ResidualError, ResidualWatch
from m3vit.model.quantise.saturation import Saturation


def scored_on_scenes(task: TaskConfig) -> bool:
    """Whether rendered scenes have the task's ground truth, with the same classes."""
    if task.kind is TaskKind.SEGMENTATION:
        return task.channels == len(SCENE_CLASSES)
    return task.kind is not TaskKind.PARTS


@dataclass(frozen=True, kw_only=True)
class MetricPair:
    """The same metric of both networks."""

    exact: Metric
    integer: Metric


@dataclass(frozen=True)
class _Watch:
    """Observer of `hw.evaluate`: residual errors, and codes at the ends of their range."""

    error: ResidualWatch
    saturation: Saturation

    def __call__(self, name: str, block: int, values: NDArray[np.integer[Any]]) -> None:
        """Record ``values``."""
        self.error(name, block, values)
        self.saturation.add(name, values)


class Comparison:
    """Tallies over images; ``free`` is the integers' own routing, ``fixed`` the float network's."""

    def __init__(self, network: M3ViT, model: QuantisedModel) -> None:
        self.network = network
        self.model = model
        unit = 2.0 ** -(model.residual_fraction + RESIDUAL_GUARD_BITS)
        self.free = ResidualError(unit)
        self.fixed = ResidualError(unit)
        self.agreement = {block: Agreement() for block in model.config.moe_blocks}
        self.saturation = Saturation()
        self.images = 0
        self.metrics: dict[int, MetricPair] = {}

    def add(self, sample: Sample) -> None:
        """Compare on one scene, for all tasks."""
        self.images += 1
        for number in range(len(self.model.config.tasks)):
            self._task(sample, number)

    def _task(self, sample: Sample, number: int) -> None:
        task = self.model.config.tasks[number]
        exact = run_float(self.network, sample.image, task.name)
        watch = _Watch(ResidualWatch(self.free, exact.residual), self.saturation)
        found = evaluate(self.model, sample.image, number, watch)
        fixed = ResidualWatch(self.fixed, exact.residual)
        plans = exact.plans(self.model.config.experts)
        evaluate(self.model, sample.image, number, fixed, plans)
        self.saturation.residual += sum(found.saturations.values())
        self._routes(exact, found)
        if scored_on_scenes(task):
            self._score(sample, number, exact, found)

    def _routes(self, exact: FloatPass, found: Evaluation) -> None:
        for block, tally in self.agreement.items():
            chosen = exact.routing["topk", block].astype(np.int64)
            tally.add(exact.routing["logits", block], chosen, found.plans[block].per_token()[0])

    def _score(self, sample: Sample, number: int, exact: FloatPass, found: Evaluation) -> None:
        task = self.model.config.tasks[number]
        if number not in self.metrics:
            both = [make_metric(task.kind, task.channels) for _ in range(2)]
            self.metrics[number] = MetricPair(exact=both[0], integer=both[1])
        logits = evaluate_head(self.model, found.result, number)
        scale = self.model.heads[number].logit_scale
        integer = dequantised(logits, scale, self.model.config)
        target = sample.targets[task.kind.value]
        self.metrics[number].exact.update(field_of(task.kind, exact.prediction), target)
        self.metrics[number].integer.update(field_of(task.kind, integer), target)

    def all_blocks(self) -> Agreement:
        """Agreement over all MoE blocks together."""
        total = Agreement()
        for tally in self.agreement.values():
            total = total.merge(tally)
        return total
