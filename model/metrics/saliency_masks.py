"""Saliency maps cut at the field's thresholds: the counts that IoU and F are made of."""

import numpy as np
from numpy.typing import NDArray

from m3vit.model.data.sample import IGNORE
from m3vit.model.metrics.metric import Field, checked

THRESHOLDS: NDArray[np.float64] = np.linspace(0.2, 0.9, 15)
"""A pixel is predicted salient where its probability exceeds the threshold."""


def mask_counts(prediction: Field, target: Field) -> tuple[NDArray[np.float64], ...]:
    """True positives, predicted and truly salient pixels of one image, each float64 [15].

    Raises:
        DatasetError: the shapes differ or the prediction is not finite.
    """
    guess, truth = checked("saliency", prediction, target)
    valid = truth != IGNORE
    level = np.searchsorted(THRESHOLDS, guess[valid].astype(np.float64))  # thresholds exceeded
    salient = truth[valid] == 1
    bins = THRESHOLDS.size + 1
    predicted = np.bincount(level, minlength=bins)[::-1].cumsum()[::-1][1:]
    positive = np.bincount(level[salient], minlength=bins)[::-1].cumsum()[::-1][1:]
    actual = np.full(THRESHOLDS.size, salient.sum())
    return positive.astype(np.float64), predicted.astype(np.float64), actual.astype(np.float64)
