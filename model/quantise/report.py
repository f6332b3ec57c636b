"""What quantisation cost, as one record fit for JSON."""

import math
import time
from collections.abc import Callable
from typing import Any

from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.quantised_files import quantised_digest
from m3vit.model.data.scenes import render_scene
from m3vit.model.evaluation import UNSEEN_SEED
from m3vit.model.network import M3ViT
from m3vit.model.quantise.comparison import Comparison, MetricPair, scored_on_scenes
from m3vit.model.quantise.residual_error import ResidualError

SECONDS = 5.0
"""Between two lines of progress."""

Record = dict[str, Any]


def finite(value: float) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None


def _metric(pair: MetricPair) -> Record:
    exact, integer = pair.exact.value(), pair.integer.value()
    change = (integer - exact) / exact if exact else math.nan
    return {
        "metric": pair.exact.name,
        "unit": pair.exact.unit,
        "lower_is_better": pair.exact.lower_is_better,
        "float": finite(exact),
        "integer": finite(integer),
        "relative_change": finite(change),
    }


def _stages(error: ResidualError) -> Record:
    stages = error.decibels().items()
    return {f"{name} {block}": finite(value) for (name, block), value in stages}


def record_of(comparison: Comparison) -> Record:
    """Everything that ``comparison`` tallied."""
    model = comparison.model
    names = model.config.task_names
    blocks = {f"block {number}": one for number, one in comparison.agreement.items()}
    return {
        "model": model.config.name,
        "config_digest": model.config.digest,
        "quantised_digest": quantised_digest(model),
        "scenes": comparison.images,
        "residual_fraction": model.residual_fraction,
        "tasks": {names[number]: _metric(pair) for number, pair in comparison.metrics.items()},
        "not_scored": [task.name for task in model.config.tasks if not scored_on_scenes(task)],
        "routing": {name: tally.to_dict() for name, tally in blocks.items()}
        | ({"all": comparison.all_blocks().to_dict()} if blocks else {}),
        "residual_db": {"fixed": _stages(comparison.fixed), "free": _stages(comparison.free)},
        "saturation": comparison.saturation.to_dict(),
    }


def compare_on_scenes(
    network: M3ViT, model: QuantisedModel, scenes: int, progress: Callable[[str], None]
) -> Record:
    """Compare on ``scenes`` rendered scenes that neither training nor calibration has seen."""
    comparison, config = Comparison(network, model), model.config
    said = time.monotonic()
    for index in range(scenes):
        seed = UNSEEN_SEED + index
        comparison.add(render_scene(seed, config.image_height, config.image_width))
        if index + 1 == scenes or time.monotonic() - said > SECONDS:
            said = time.monotonic()
            progress(f"compared {index + 1}/{scenes} scenes")
    return record_of(comparison)
