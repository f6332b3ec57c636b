"""Mean intersection over union of human parts."""

import numpy as np

from m3vit.model.data.sample import IGNORE
from m3vit.model.metrics.mean_iou import MeanIou
from m3vit.model.metrics.metric import Field


class PartsIou(MeanIou):
    """mIoU over the parts and the background, of the images that show parts at all.

    Images whose target holds only background (0) and ignored pixels are skipped, as in the
    evaluation from files of the original code (its meter does not skip them).
    """

    name = "parts mIoU"

    def update(self, prediction: Field, target: Field) -> None:
        """Add a map of parts [H, W] and its target uint8 [H, W], unless that shows no part."""
        truth = np.asarray(target)
        if np.any((truth != 0) & (truth != IGNORE)):
            super().update(prediction, target)
