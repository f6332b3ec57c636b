"""Means of losses between two reports."""

import math

import torch
from torch import Tensor

from m3vit.hw.errors import M3vitError


class DivergedError(M3vitError):
    """The loss is no longer a finite number."""


def _means(values: dict[str, list[Tensor]]) -> dict[str, float]:
    return {k: round(float(torch.stack(v).mean()), 5) for k, v in sorted(values.items())}


class Meters:
    """Collects losses by task, and what routing costs by name."""

    def __init__(self) -> None:
        self._losses: dict[str, list[Tensor]] = {}
        self._routing: dict[str, list[Tensor]] = {}

    def add(self, losses: dict[str, Tensor], routing: dict[str, Tensor]) -> None:
        """Add the detached losses of one pass."""
        for store, values in ((self._losses, losses), (self._routing, routing)):
            for name, value in values.items():
                store.setdefault(name, []).append(value)

    def take(self, step: int) -> dict[str, object]:
        """Means since the last call, as an entry of the log.

        Raises:
            DivergedError: a loss is not finite.
        """
        losses, routing = _means(self._losses), _means(self._routing)
        self._losses.clear()
        self._routing.clear()
        if not all(map(math.isfinite, losses.values())):
            raise DivergedError(
                f"the loss is not finite at step {step}: {losses}; lower the learning rate"
            )
        return {"step": step, "losses": losses, **routing}
