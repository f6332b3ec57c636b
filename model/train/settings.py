"""Everything that determines a training run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.model.train.losses import ORIGINAL_WEIGHTS

OPTIMISERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "poly")


def _require(condition: bool, what: str, got: object, expected: str) -> None:
    if not condition:
        raise ConfigurationError(f"{what} is {got!r}, expected {expected}")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Two runs with equal settings, model and data end with equal weights, interrupted or not.

    ``batch`` counts images a task, step and process; ``tasks_per_step`` tasks take turns.
    ``gate_noise`` is in units of 1/experts on the logits.  ``ema`` is the decay a step of the
    averaged weights that become the checkpoint.

    Raises:
        ConfigurationError: a value is out of range.
    """

    steps: int
    batch: int = 16
    tasks_per_step: int = 1
    optimiser: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    schedule: str = "cosine"
    warmup: int = 500
    clip: float = 5.0
    drop_path: float = 0.0
    gate_noise: float = 1.0
    loss_weights: Mapping[str, float] = field(default_factory=lambda: ORIGINAL_WEIGHTS)
    balance_weight: float = 0.01
    indecision_weight: float = 0.01
    ema: float = 0.999
    seed: int = 0
    precision: str = "float32"
    processes: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "tasks_per_step", "processes"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        _require(self.optimiser in OPTIMISERS, "optimiser", self.optimiser, " or ".join(OPTIMISERS))
        _require(self.schedule in SCHEDULES, "schedule", self.schedule, " or ".join(SCHEDULES))
        _require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        _require(0 <= self.drop_path < 1, "drop_path", self.drop_path, "0 to below 1")
        _require(0 <= self.ema < 1, "ema", self.ema, "0 to below 1")
        known = ("float32", "bfloat16")
        _require(self.precision in known, "precision", self.precision, " or ".join(known))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"loss_weights": dict(self.loss_weights)}
