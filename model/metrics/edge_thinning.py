"""Edges one pixel wide: ridges of predicted probabilities, skeletons of labelled masks."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

_FINE, _COARSE = 0.6, 1.2
"""Standard deviations in pixels: of the map whose ridges are sought, of their direction."""
_TIE = 1e-6


def ridges(probability: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels [H, W] where ``probability`` [H, W] is maximal across an edge.

    Non-maximum suppression as the edge benchmarks apply it before matching: the direction across
    is that of the strongest negative curvature of a coarsely smoothed map, and a pixel stays if
    the finely smoothed map is not less at one pixel's distance on either side.  Of two equal
    neighbours one stays; flat regions have no ridge.  Corners of staircases are then thinned away.
    """
    values = np.asarray(probability, np.float64)
    fine = gaussian_filter(values, _FINE, mode="nearest")
    yy, xy, xx = (
        gaussian_filter(values, _COARSE, order=order, mode="nearest")
        for order in ((2, 0), (1, 1), (0, 2))
    )
    across = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    dx, dy = np.cos(across), np.sin(across)
    # One sense for opposite directions, with its switch at an angle that grids seldom show.
    sense = np.where(dx * np.cos(0.4) + dy * np.sin(0.4) < 0, -1.0, 1.0)
    dx, dy = dx * sense, dy * sense
    rows, columns = np.indices(values.shape)
    one, other = (
        map_coordinates(fine, (rows + s * dy, columns + s * dx), order=1, mode="nearest")
        for s in (1, -1)
    )
    return thin((fine > one + _TIE) & (fine >= other - _TIE) & (values > 0))


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Skeleton [H, W] of ``mask`` [H, W]: lines one pixel wide, eight-connected.

    Parallel thinning with two alternating passes (Guo and Hall, 1989, algorithm A1).
    """
    image = np.pad(np.asarray(mask, bool), 1)
    changed = True
    while changed:
        changed = False
        for second in (False, True):
            removable = _removable(image, second)
            if removable.any():
                image[1:-1, 1:-1] &= ~removable
                changed = True
    return image[1:-1, 1:-1]


def _removable(image: NDArray[np.bool_], second: bool) -> NDArray[np.bool_]:
    n, ne, e, se = image[:-2, 1:-1], image[:-2, 2:], image[1:-1, 2:], image[2:, 2:]
    s, sw, w, nw = image[2:, 1:-1], image[2:, :-2], image[1:-1, :-2], image[:-2, :-2]
    runs = (~n & (ne | e)).astype(np.uint8) + (~e & (se | s)) + (~s & (sw | w)) + (~w & (nw | n))
    pairs = (nw | n).astype(np.uint8) + (ne | e) + (se | s) + (sw | w)
    turned = (n | ne).astype(np.uint8) + (e | se) + (s | sw) + (w | nw)
    neighbours = np.minimum(pairs, turned)
    side = (n | ne | ~se) & e if second else (s | sw | ~nw) & w
    free: NDArray[np.bool_] = (
        image[1:-1, 1:-1] & (runs == 1) & (neighbours >= 2) & (neighbours <= 3) & ~side
    )
    return free
