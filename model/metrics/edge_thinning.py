"""Edges one pixel wide: the ridges of predicted probabilities."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from m3vit.model.data.skeleton import thin

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
