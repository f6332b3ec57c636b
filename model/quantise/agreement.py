"""How often integers and floats choose the same experts, and how close it was where not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import Float64


def softmax(logits: Float64) -> Float64:
    """Along the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True))


def membership(chosen: NDArray[np.integer[Any]], experts: int) -> NDArray[np.bool_]:
    """[T, K] expert numbers to [T, E] flags."""
    flags = np.zeros((len(chosen), experts), bool)
    np.put_along_axis(flags, chosen.astype(np.int64), True, axis=1)
    return flags


def swapped_gap(
    probabilities: Float64, wanted: NDArray[np.bool_], taken: NDArray[np.bool_]
) -> Float64:
    """Per token, mean float probability of the experts lost minus that of those taken instead."""
    lost, won = wanted & ~taken, taken & ~wanted
    count = lost.sum(1)
    return np.asarray(((lost * probabilities) - (won * probabilities)).sum(1) / count)


@dataclass
class Agreement:
    """Counts of one MoE block over all images and tasks.

    ``gap_sum`` and ``gap_max`` are over tokens with another set: by how much the float network
    preferred the experts that were swapped out (in probability).  ``margin_sum`` is over all
    tokens: the float probability of the K-th expert minus that of the next.
    """

    tokens: int = 0
    equal: int = 0
    pairs: int = 0
    common: int = 0
    gap_sum: float = 0.0
    gap_max: float = 0.0
    margin_sum: float = 0.0

    def add(
        self, logits: Float64, exact: NDArray[np.integer[Any]], integer: NDArray[np.integer[Any]]
    ) -> None:
        """One image: float ``logits`` [T, E], both choices [T, K]."""
        tokens, experts = logits.shape
        wanted, taken = membership(exact, experts), membership(integer, experts)
        equal = (wanted == taken).all(1)
        self.tokens += tokens
        self.equal += int(equal.sum())
        self.pairs += exact.size
        self.common += int((wanted & taken).sum())
        self._gaps(softmax(logits), wanted, taken, equal, exact.shape[1])

    def _gaps(
        self,
        probabilities: Float64,
        wanted: NDArray[np.bool_],
        taken: NDArray[np.bool_],
        equal: NDArray[np.bool_],
        top_k: int,
    ) -> None:
        ordered = -np.sort(-probabilities, axis=1)
        if top_k < ordered.shape[1]:
            self.margin_sum += float((ordered[:, top_k - 1] - ordered[:, top_k]).sum())
        if not equal.all():
            other = ~equal
            gaps = swapped_gap(probabilities[other], wanted[other], taken[other])
            self.gap_sum += float(gaps.sum())
            self.gap_max = max(self.gap_max, float(gaps.max()))

    def merge(self, other: "Agreement") -> "Agreement":
        """Counts of both."""
        return Agreement(
            tokens=self.tokens + other.tokens,
            equal=self.equal + other.equal,
            pairs=self.pairs + other.pairs,
            common=self.common + other.common,
            gap_sum=self.gap_sum + other.gap_sum,
            gap_max=max(self.gap_max, other.gap_max),
            margin_sum=self.margin_sum + other.margin_sum,
        )

    def to_dict(self) -> dict[str, float]:
        """Shares and means, fit for JSON."""
        swapped = self.tokens - self.equal
        return {
            "tokens": self.tokens,
            "same_set": self.equal / max(self.tokens, 1),
            "same_pairs": self.common / max(self.pairs, 1),
            "swapped_gap_mean": self.gap_sum / max(swapped, 1),
            "swapped_gap_max": self.gap_max,
            "margin_mean": self.margin_sum / max(self.tokens, 1),
        }
