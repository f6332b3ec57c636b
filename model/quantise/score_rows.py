"""Best scores of queries during calibration: what the centre of K has to bring into int10.

Scores saturate at about 22 nats.  Only the best score of a query matters to softmax, and it may
be moved by moving the centre of K, which adds the same to all scores of a query.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from m3vit.hw.formats import Float64

SAMPLES = 16
"""Queries kept of every image, task and head, evenly spaced over the tokens."""

LARGEST = 256
"""Queries with the largest best scores that are kept of every head."""


@dataclass
class ScoreRows:
    """Queries of one block by head, each with its best score, in nats.

    ``queries`` float64 [H, n, dh]; ``best`` float64 [H, n] holds max over keys of
    ``query . key / sqrt(dh)`` for keys as they are, not centred.
    """

    queries: Float64
    best: Float64
    extreme_queries: Float64
    extreme_best: Float64

    def join(self, other: "ScoreRows") -> "ScoreRows":
        """Rows of both; of the extreme ones only the largest."""
        best = np.concatenate([self.extreme_best, other.extreme_best], 1)
        queries = np.concatenate([self.extreme_queries, other.extreme_queries], 1)
        order = np.argsort(-best, axis=1)[:, :LARGEST]
        return ScoreRows(
            queries=np.concatenate([self.queries, other.queries], 1),
            best=np.concatenate([self.best, other.best], 1),
            extreme_queries=np.take_along_axis(queries, order[..., None], 1),
            extreme_best=np.take_along_axis(best, order, 1),
        )

    def all_rows(self) -> tuple[Float64, Float64]:
        """Sampled and extreme queries [H, n, dh] with their best scores [H, n]."""
        return (
            np.concatenate([self.queries, self.extreme_queries], 1),
            np.concatenate([self.best, self.extreme_best], 1),
        )


def rows_of(queries: Tensor, keys: Tensor, heads: int) -> ScoreRows:
    """Rows of one image from Q and K [T, d]."""
    tokens = len(queries)
    q, k = (x.view(tokens, heads, -1).transpose(0, 1) for x in (queries, keys))
    best = (q @ k.transpose(1, 2)).amax(2) * q.shape[2] ** -0.5
    spread = torch.linspace(0, tokens - 1, min(SAMPLES, tokens)).long()
    order = best.argsort(1, descending=True)[:, :SAMPLES]
    largest = torch.gather(q, 1, order.unsqueeze(-1).expand(-1, -1, q.shape[2]))
    return ScoreRows(
        queries=q[:, spread].double().numpy(),
        best=best[:, spread].double().numpy(),
        extreme_queries=largest.double().numpy(),
        extreme_best=best.gather(1, order).double().numpy(),
    )


@dataclass
class ScoreWatch:
    """Collects :class:`ScoreRows` by block from what the network reports."""

    heads: int = 1
    rows: dict[int, ScoreRows] = field(default_factory=dict)
    queries: Tensor = field(default_factory=lambda: torch.zeros(0))

    def __call__(self, name: str, block: int, value: Tensor) -> None:
        """Keep Q, and pair it with the K that follows."""
        if name == "q":
            self.queries = value.detach().cpu()
        elif name == "k":
            for queries, keys in zip(self.queries, value.detach().cpu(), strict=True):
                new = rows_of(queries, keys, self.heads)
                old = self.rows.get(block)
                self.rows[block] = new if old is None else old.join(new)
