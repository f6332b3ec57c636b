"""Signal-to-noise ratio of the integer residual stream, stage by stage.

The ratio is taken after removing each channel's mean over the image's tokens from the signal:
a few channels with large constant values would otherwise hide all errors.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import Float64

Stage = tuple[str, int]
"""("embed", 0), ("mid", block) after attention, ("out", block) after the block."""


@dataclass
class ResidualError:
    """Energies summed over images; ``unit`` is the value of one code of the residual store."""

    unit: float
    signal: dict[Stage, float] = field(default_factory=dict)
    error: dict[Stage, float] = field(default_factory=dict)

    def add(self, stage: Stage, exact: Float64, codes: NDArray[np.integer[Any]]) -> None:
        """Compare one image's residual ``codes`` [T, d] with ``exact``."""
        varying = exact - exact.mean(0)
        difference = codes * self.unit - exact
        self.signal[stage] = self.signal.get(stage, 0.0) + float((varying**2).sum())
        self.error[stage] = self.error.get(stage, 0.0) + float((difference**2).sum())

    def decibels(self) -> dict[Stage, float]:
        """Ratio of every stage seen, in order; infinite where nothing differs."""
        return {stage: self._ratio(stage) for stage in self.signal}

    def _ratio(self, stage: Stage) -> float:
        error, signal = self.error[stage], self.signal[stage]
        return 10 * math.log10(max(signal, 1e-300) / error) if error else math.inf


@dataclass(frozen=True)
class ResidualWatch:
    """Observer of `hw.evaluate` that compares with the float residuals of the same image."""

    tally: ResidualError
    exact: Mapping[Stage, Float64]

    def __call__(self, name: str, block: int, values: NDArray[np.integer[Any]]) -> None:
        """Record the stages that the float pass recorded."""
        stage = (name, max(block, 0))
        if stage in self.exact:
            self.tally.add(stage, self.exact[stage], values)
