"""Medians of repeated timings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Milliseconds of one call: the median, and how far the calls spread."""

    median_ms: float
    low_ms: float
    """Tenth percentile."""
    high_ms: float
    """Ninetieth percentile."""
    calls: int


def summarise(samples_ms: Sequence[float]) -> Timing:
    """The timing of one or more calls."""
    low, median, high = np.percentile(np.asarray(samples_ms, dtype=np.float64), [10, 50, 90])
    return Timing(
        median_ms=float(median), low_ms=float(low), high_ms=float(high), calls=len(samples_ms)
    )
