"""One-to-one matching of predicted with true edge pixels within a distance."""

import numpy as np
from numpy.typing import NDArray


def ranked_matches(
    rows: NDArray[np.intp], columns: NDArray[np.intp], truth: NDArray[np.bool_], radius: float
) -> NDArray[np.bool_]:
    """Which predictions enlarge the matching when they are added one after the other.

    Predictions at (``rows``, ``columns``) [N], best first, may be matched with at most one true
    pixel of ``truth`` [H, W] at most ``radius`` pixels away, and vice versa.  The sum of the
    first n results is the size of the maximum matching of the first n predictions, exactly and
    for every n: sets that can be matched form a matroid, so adding greedily is optimal.  (The
    Berkeley benchmark solves the same problem approximately, once for each threshold.)

    Returns:
        bool [N].
    """
    near = _near(rows, columns, truth, radius)
    found = np.zeros(rows.size, bool)
    candidates = np.flatnonzero((near >= 0).any(1))
    lists = [[g for g in line if g >= 0] for line in near[candidates].tolist()]
    for position, success in enumerate(_augment(lists, int(truth.sum()))):
        found[candidates[position]] = success
    return found


def _near(
    rows: NDArray[np.intp], columns: NDArray[np.intp], truth: NDArray[np.bool_], radius: float
) -> NDArray[np.int64]:
    """Numbers of the true pixels within reach of each prediction, nearest first, or -1: [N, K]."""
    reach = int(radius)
    numbers = np.full(truth.shape, -1, np.int64)
    numbers[truth] = np.arange(truth.sum())
    numbers = np.pad(numbers, reach, constant_values=-1)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    square = dy * dy + dx * dx
    order = np.argsort(square, kind="stable")
    order = order[square[order] <= radius * radius]
    near: NDArray[np.int64] = numbers[
        rows[:, None] + dy[order] + reach, columns[:, None] + dx[order] + reach
    ]
    return near


def _augment(candidates: list[list[int]], targets: int) -> list[bool]:
    """Whether each left vertex in turn has an augmenting path to the ``targets`` right ones."""
    owner, partner = [-1] * targets, [-1] * len(candidates)
    dead = [False] * targets  # reached by a failed search: no free target beyond, ever
    results = []
    for start, options in enumerate(candidates):
        free = next((g for g in options if owner[g] < 0), -1)
        if free >= 0:
            owner[free], partner[start] = start, free
            results.append(True)
            continue
        parent: dict[int, int] = {}
        end = _search(start, candidates, owner, dead, parent)
        results.append(end >= 0)
        if end < 0:
            for g in parent:
                dead[g] = True
        while end >= 0:  # hand each target on the path to the vertex that reached it
            left = parent[end]
            end_before, owner[end], partner[left] = partner[left], left, end
            end = end_before if left != start else -1
    return results


def _search(
    start: int,
    candidates: list[list[int]],
    owner: list[int],
    dead: list[bool],
    parent: dict[int, int],
) -> int:
    """Breadth-first search for a free target; its number or -1, and the tree in ``parent``."""
    level = [start]
    while level:
        following = []
        for left in level:
            for g in candidates[left]:
                if dead[g] or g in parent:
                    continue
                parent[g] = left
                if owner[g] < 0:
                    return g
                following.append(owner[g])
        level = following
    return -1
