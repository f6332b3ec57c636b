"""F-measure of edges at the optimal data-set scale, without MATLAB."""

import math

import numpy as np

from m3vit.model.data.sample import IGNORE
from m3vit.model.data.skeleton import thin
from m3vit.model.metrics.edge_matching import ranked_matches
from m3vit.model.metrics.edge_thinning import ridges
from m3vit.model.metrics.metric import Field, checked

TOLERANCE = 0.0075
"""Largest distance of a match, as a share of the image's diagonal (Martin et al., 2004)."""

THRESHOLDS = np.arange(1, 100) / 100
"""A ridge pixel is predicted where its probability is at least the threshold."""


class EdgeOdsF:
    """odsF in per cent: F = 2 P R / (P + R) of counts over all images at the best threshold.

    Predicted probabilities are thinned to their ridges, targets to their skeletons, and pixels
    are matched one to one within 0.0075 of the diagonal.  Differences to the Berkeley code: the
    matching is exact, prediction maps are thinned once rather than for each threshold, and F is
    not interpolated between the 99 thresholds.  Pixels labelled 255 do not count.
    """

    name = "odsF"
    unit = "%"
    lower_is_better = False

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        self.tolerance = tolerance
        self.matched = np.zeros(THRESHOLDS.size, np.int64)
        self.predicted = np.zeros(THRESHOLDS.size, np.int64)
        self.actual = 0
        self.images = 0

    def update(self, prediction: Field, target: Field) -> None:
        """Add edge probabilities [H, W] in 0..1 and their target uint8 [H, W].

        Raises:
            DatasetError: the shapes differ or the prediction is not finite.
        """
        guess, truth = checked("edges", prediction, target)
        probability = guess.astype(np.float64)
        lines = thin(truth == 1)
        rows, columns = np.nonzero(
            ridges(probability) & (probability >= THRESHOLDS[0]) & (truth != IGNORE)
        )
        order = np.argsort(-probability[rows, columns], kind="stable")
        rows, columns = rows[order], columns[order]
        radius = self.tolerance * math.hypot(*truth.shape)
        matches = np.concatenate([[0], ranked_matches(rows, columns, lines, radius).cumsum()])
        counts = np.searchsorted(-probability[rows, columns], -THRESHOLDS, side="right")
        self.matched += matches[counts]
        self.predicted += counts
        self.actual += int(lines.sum())
        self.images += 1

    def value(self) -> float:
        """F at the best threshold in per cent; 2 P R / (P + R) = 2 matched / (all pixels)."""
        if not self.images:
            return float("nan")
        pixels = self.predicted + self.actual
        f = np.divide(2.0 * self.matched, pixels, out=np.zeros(pixels.size), where=pixels > 0)
        return 100 * float(f.max())
