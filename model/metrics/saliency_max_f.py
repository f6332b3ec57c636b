"""Maximal F-measure of saliency."""

import numpy as np

from m3vit.model.metrics.metric import Field
from m3vit.model.metrics.saliency_masks import THRESHOLDS, mask_counts


class SaliencyMaxF:
    """Maximum over 15 thresholds of F from precision and recall averaged over images, per cent.

    F = (1 + b) P R / (b P + R) with b = beta squared = 0.3 (Achanta et al., 2009); an image
    without predicted (or true) salient pixels has precision (or recall) 0.  The evaluation script
    of the original code uses b = 1.
    """

    name = "saliency maxF"
    unit = "%"
    lower_is_better = False

    def __init__(self, beta_squared: float = 0.3) -> None:
        self.beta_squared = beta_squared
        self.precision = np.zeros(THRESHOLDS.size)
        self.recall = np.zeros(THRESHOLDS.size)
        self.images = 0

    def update(self, prediction: Field, target: Field) -> None:
        """Add probabilities [H, W] in 0..1 and their target uint8 [H, W].

        Raises:
            DatasetError: the shapes differ or the prediction is not finite.
        """
        positive, predicted, actual = mask_counts(prediction, target)
        self.precision += positive / np.maximum(predicted, 1)
        self.recall += positive / np.maximum(actual, 1)
        self.images += 1

    def value(self) -> float:
        """F at the best threshold, in per cent."""
        if not self.images:
            return float("nan")
        p, r, b = self.precision / self.images, self.recall / self.images, self.beta_squared
        below = b * p + r
        f = np.divide((1 + b) * p * r, below, out=np.zeros_like(below), where=below > 0)
        return 100 * float(f.max())
