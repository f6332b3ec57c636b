"""Root mean squared error of depth."""

import math

import numpy as np

from m3vit.model.metrics.metric import Field, checked


class DepthRmse:
    """sqrt(sum of squared errors / number of valid pixels) over all images, in metres.

    It is not the mean of per-image values.  Pixels whose target is 0 are invalid.
    """

    name = "RMSE"
    unit = "m"
    lower_is_better = True

    def __init__(self) -> None:
        self.squares = 0.0
        self.pixels = 0

    def update(self, prediction: Field, target: Field) -> None:
        """Add a depth map [H, W] in metres and its target float32 [H, W].

        Raises:
            DatasetError: the shapes differ or the prediction is not finite.
        """
        guess, truth = checked("depth", prediction, target)
        valid = truth > 0
        error = guess[valid].astype(np.float64) - truth[valid]
        self.squares += float(np.square(error).sum())
        self.pixels += int(valid.sum())

    def value(self) -> float:
        """RMSE in metres."""
        return math.sqrt(self.squares / self.pixels) if self.pixels else float("nan")
