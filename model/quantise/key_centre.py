"""Where to centre K: the middle of its range, unless scores would then leave int10.

Softmax cannot see what is added to all scores of a query, so the centre is free.  The middle gives
K the finest scale; where a head's scores grow beyond 22 nats, the centre moves just as far as
brings the best score of every query back into the range (a linear program).
"""

import numpy as np
from scipy.optimize import linprog

from m3vit.hw.formats import SCORE_BITS, SCORE_UNIT, Float64
from m3vit.model.quantise.scales import HEADROOM

HIGHEST = ((1 << (SCORE_BITS - 1)) - 1) * SCORE_UNIT / HEADROOM
"""Best scores stay below this, in nats: 22.1 with headroom."""

LOWEST = -8.0
"""And above this: keys 14 nats below the best still differ from each other."""

PENALTY = 10.0
"""How much a nat outside of the range counts against a doubling of K's range."""


def fits(best: Float64) -> bool:
    """Whether all best scores lie in the range."""
    return bool((best <= HIGHEST).all() and (best >= LOWEST).all())


def move_centre(queries: Float64, best: Float64, half: Float64) -> Float64:
    """How far to move the centre of one head's K from the middle.

    Args:
        queries: [n, dh].
        best: [n] best scores in nats, with K centred in the middle of its range.
        half: [dh], half the range of K.

    Returns:
        [dh]; minimises the half range of K about the centre, relative to that about the middle,
        plus PENALTY times the largest distance of a best score from the range.
    """
    size = len(half)
    slope = queries * size**-0.5
    free, ones = np.eye(size), np.ones((len(best), 1))
    none, unit = np.zeros((len(best), 1)), half.max() * np.ones((size, 1))
    # Unknowns: the move, the range of K relative to its largest half range, the distance.
    limits = [
        (np.hstack([-slope, none, -ones]), HIGHEST - best),
        (np.hstack([slope, none, -ones]), best - LOWEST),
        (np.hstack([free, -unit, np.zeros((size, 1))]), -half),
        (np.hstack([-free, -unit, np.zeros((size, 1))]), -half),
    ]
    found = linprog(
        np.r_[np.zeros(size), 1.0, PENALTY],
        A_ub=np.vstack([a for a, _ in limits]),
        b_ub=np.concatenate([b for _, b in limits]),
        bounds=[(None, None)] * size + [(1, None), (0, None)],
        method="highs",
    )
    return np.asarray(found.x[:size]) if found.success else np.zeros(size)


def key_centre(queries: Float64, best: Float64, low: Float64, high: Float64) -> Float64:
    """Centre [dh] of one head's K.

    Args:
        queries: [n, dh] queries met in calibration.
        best: [n] their best scores in nats, K not centred.
        low: [dh], smallest value of K by channel.
        high: [dh], largest.
    """
    middle, half = (low + high) / 2, (high - low) / 2
    centred = best - queries @ middle * len(middle) ** -0.5
    if fits(centred) or not half.any():
        return middle
    return middle + move_centre(queries, centred, half)
