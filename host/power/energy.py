"""Energy of one image from readings at rest and at work: arithmetic alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m3vit.host.power.sampler import Samples
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import Float64


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Powers in watts, of all rails together and by rail."""

    images: int
    seconds: float
    """Wall clock of all images."""
    idle_w: float
    run_w: float
    error_w: float
    """Of the difference: standard errors of both means, and half of the drift at rest."""
    idle_by_rail: dict[str, float]
    run_by_rail: dict[str, float]
    readings: int

    @property
    def seconds_per_image(self) -> float:
        """Wall clock."""
        return self.seconds / self.images

    @property
    def net_mj(self) -> float:
        """Millijoules of one image, idle subtracted, never below 0."""
        return max(0.0, 1e3 * (self.run_w - self.idle_w) * self.seconds_per_image)

    @property
    def error_mj(self) -> float:
        """Of :attr:`net_mj`."""
        return 1e3 * self.error_w * self.seconds_per_image

    @property
    def gross_mj(self) -> float:
        """Millijoules of one image with all that the board draws meanwhile."""
        return 1e3 * self.run_w * self.seconds_per_image


def _total(samples: Samples) -> Float64:
    total: Float64 = samples.watts.sum(axis=1)
    return total


def _standard_error(values: Float64) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def energy_of(before: Samples, run: Samples, after: Samples, images: int, seconds: float) -> Energy:
    """Energy of ``images`` that took ``seconds`` while ``run`` was read.

    Rest is read before and after, so that a board that warms up is not taken for one that works.
    Consecutive readings of an averaging chip are not independent: the error is a lower bound.

    Raises:
        DeviceError: no image ran, too few readings, or the rails are not the same.
    """
    if images < 1 or seconds <= 0:
        raise DeviceError(f"{images} images ran in {seconds} s, expected at least one")
    if not before.names == run.names == after.names:
        raise DeviceError(f"rails are {before.names}, {run.names}, {after.names}, expected equal")
    first, work, last = before.settled(), run.settled(), after.settled()
    rest = [_total(first), _total(last)]
    drift = float(rest[1].mean() - rest[0].mean())
    idle = (float(rest[0].mean()) + float(rest[1].mean())) / 2
    errors = (_standard_error(np.concatenate(rest) - idle), _standard_error(_total(work)))
    return Energy(
        images=images,
        seconds=seconds,
        idle_w=idle,
        run_w=float(_total(work).mean()),
        error_w=math.hypot(*errors, drift / 2),
        idle_by_rail=_by_rail([first, last]),
        run_by_rail=_by_rail([work]),
        readings=len(first.times) + len(work.times) + len(last.times),
    )


def _by_rail(parts: Sequence[Samples]) -> dict[str, float]:
    means = np.mean([part.watts.mean(axis=0) for part in parts], axis=0)
    return dict(zip(parts[0].names, map(float, means), strict=True))
