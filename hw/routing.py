"""Routing as a value: which tokens go to which experts, with what weight; and traces of it.

The gate makes a plan; the reference, the machine, kernels and simulators read it.  A trace is a
list of plans with task, image and block, replayed without any model.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import Int32, Int64, UInt8, UInt16


def _require(condition: bool, what: str, got: object, expected: str) -> None:
    if not condition:
        raise ConfigurationError(f"routing plan: {what} is {got}, expected {expected}")


@dataclass(frozen=True, kw_only=True, eq=False)
class RoutingPlan:
    """P = T * K pairs of token and expert, sorted by expert, then token."""

    experts: UInt8
    """[P]."""
    tokens: Int32
    """[P]."""
    weights: UInt16
    """[P], value / 65536."""
    ranks: UInt8
    """[P]: 0 for a token's best expert."""
    counts: Int64
    """[E]: tokens of each expert."""
    top_k: int

    @classmethod
    def from_choices(
        cls, chosen: NDArray[np.integer[Any]], weights: NDArray[np.integer[Any]], *, experts: int
    ) -> "RoutingPlan":
        """The plan of tokens that each chose K experts, best first.

        Args:
            chosen: [T, K] expert numbers, distinct within a row.
            weights: [T, K], 0 to 65535.
            experts: E, 1 to 256.

        Raises:
            ConfigurationError: shapes, ranges or distinctness are violated.
        """
        _check(chosen, weights, experts)
        tokens, top_k = chosen.shape
        flat = chosen.reshape(-1)
        order = np.argsort(flat, kind="stable")  # row by row already means tokens ascending
        return cls(
            experts=flat[order].astype(np.uint8),
            tokens=(order // top_k).astype(np.int32),
            weights=weights.reshape(-1)[order].astype(np.uint16),
            ranks=(order % top_k).astype(np.uint8),
            counts=np.bincount(flat, minlength=experts).astype(np.int64),
            top_k=top_k,
        )

    @property
    def token_count(self) -> int:
        """T."""
        return len(self.tokens) // self.top_k

    @property
    def live_experts(self) -> int:
        """Experts that have a token: whose weights are fetched."""
        return int(np.count_nonzero(self.counts))

    def pairs(self, expert: int) -> slice:
        """Where the pairs of ``expert`` lie in the arrays."""
        stop = int(self.counts[: expert + 1].sum())
        return slice(stop - int(self.counts[expert]), stop)

    def per_token(self) -> tuple[UInt8, UInt16]:
        """Experts and weights [T, K], best expert first: the inverse of :meth:`from_choices`."""
        experts = np.empty((self.token_count, self.top_k), dtype=np.uint8)
        weights = np.empty(experts.shape, dtype=np.uint16)
        experts[self.tokens, self.ranks] = self.experts
        weights[self.tokens, self.ranks] = self.weights
        return experts, weights

    def same_as(self, other: "RoutingPlan") -> bool:
        """Whether both hold the same pairs, ranks and weights over as many experts."""
        mine, theirs = self.per_token(), other.per_token()
        return (
            len(self.counts) == len(other.counts)
            and np.array_equal(mine[0], theirs[0])
            and np.array_equal(mine[1], theirs[1])
        )


def _check(
    chosen: NDArray[np.integer[Any]], weights: NDArray[np.integer[Any]], experts: int
) -> None:
    _require(1 <= experts <= 256, "number of experts", experts, "1 to 256")
    _require(
        chosen.ndim == 2 and chosen.size > 0 and chosen.shape == weights.shape,
        "shape of choices and weights",
        f"{list(chosen.shape)} and {list(weights.shape)}",
        "twice [tokens, top_k]",
    )
    for name, values, limit in (("expert", chosen, experts), ("weight", weights, 1 << 16)):
        low, high = int(values.min()), int(values.max())
        _require(0 <= low and high < limit, name, f"{low} to {high}", f"0 to {limit - 1}")
    ordered = np.sort(chosen, axis=1)
    repeated = int(np.count_nonzero(ordered[:, 1:] == ordered[:, :-1]))
    _require(repeated == 0, "number of repeated experts of a token", repeated, "0")
