"""How many tokens each expert gets: checked counts, or the balanced ones assumed without them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import Int64
from m3vit.hw.routing import RoutingPlan

Counts = NDArray[np.integer[Any]] | Sequence[Sequence[int]]
"""[blocks of experts, experts]: tokens in each expert's queue."""


def counts_of(plans: Sequence[RoutingPlan]) -> Int64:
    """[blocks of experts, E]: queue lengths of the plans of one image, in order of the blocks."""
    return np.array([plan.counts for plan in plans], np.int64)


def balanced_counts(config: ModelConfig) -> Int64:
    """[blocks of experts, E]: tokens x K spread as evenly as integers allow."""
    share, rest = divmod(config.tokens * config.top_k, config.experts)
    row = np.full(config.experts, share, np.int64)
    row[:rest] += 1
    return np.tile(row, (len(config.moe_blocks), 1))


def checked_counts(config: ModelConfig, counts: Counts | None) -> Int64:
    """``counts`` as an array, or the balanced ones for None.

    Raises:
        ConfigurationError: the shape is wrong, or a row cannot come from K experts a token.
    """
    if counts is None:
        return balanced_counts(config)
    array = np.asarray(counts, np.int64)
    shape = (len(config.moe_blocks), config.experts)
    if array.shape != shape and array.size + shape[0] > 0:
        raise ConfigurationError(
            f"routing counts have the shape {array.shape}, expected {shape}: blocks of experts x "
            "experts"
        )
    array = array.reshape(shape)
    wanted = config.tokens * config.top_k
    legal = (array >= 0).all() and (array <= config.tokens).all()
    if not legal or (array.sum(1) != wanted).any():
        raise ConfigurationError(
            f"routing counts do not come from {config.tokens} tokens with {config.top_k} experts "
            f"each: expected rows of 0 to {config.tokens} that sum to {wanted}"
        )
    return array
