"""Intersection over union of saliency, the figure of the field's tables."""

import numpy as np

from m3vit.model.metrics.metric import Field
from m3vit.model.metrics.saliency_masks import THRESHOLDS, mask_counts


class SaliencyIou:
    """Maximum over 15 thresholds (0.2 to 0.9) of the mean over images of the IoU, in per cent.

    Two empty masks agree: IoU 1.  Pixels labelled 255 do not count.
    """

    name = "saliency mIoU"
    unit = "%"
    lower_is_better = False

    def __init__(self) -> None:
        self.sums = np.zeros(THRESHOLDS.size)
        self.images = 0

    def update(self, prediction: Field, target: Field) -> None:
        """Add probabilities [H, W] in 0..1 and their target uint8 [H, W].

        Raises:
            DatasetError: the shapes differ or the prediction is not finite.
        """
        positive, predicted, actual = mask_counts(prediction, target)
        union = predicted + actual - positive
        self.sums += np.divide(positive, union, out=np.ones_like(union), where=union > 0)
        self.images += 1

    def value(self) -> float:
        """Mean IoU at the best threshold, in per cent."""
        return 100 * float(self.sums.max()) / self.images if self.images else float("nan")
