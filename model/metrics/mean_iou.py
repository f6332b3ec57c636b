"""Mean intersection over union of segmentation, from counts over the whole data set."""

import numpy as np

from m3vit.hw.errors import DatasetError
from m3vit.model.data.sample import IGNORE
from m3vit.model.metrics.metric import Field, checked


class MeanIou:
    """mIoU in per cent: mean over classes of TP / (TP + FP + FN), counted over all images.

    A class that occurs neither in a target nor in a prediction has no IoU and is left out of the
    mean.  The original M3ViT code counts it as 0 in its meters (``absent_as_zero``), which lowers
    the mean on small sets.  Pixels labelled 255 do not count, whatever is predicted there.
    """

    name = "mIoU"
    unit = "%"
    lower_is_better = False

    def __init__(self, classes: int, absent_as_zero: bool = False) -> None:
        self.classes = classes
        self.absent_as_zero = absent_as_zero
        self.confusion = np.zeros((classes, classes), np.int64)
        """Pixels by [target class, predicted class]."""

    def update(self, prediction: Field, target: Field) -> None:
        """Add a map of classes [H, W] and its target uint8 [H, W].

        Raises:
            DatasetError: the shapes differ, or a class lies outside 0..classes-1.
        """
        guess, truth = checked("segmentation", prediction, target)
        valid = truth != IGNORE
        guess, truth = guess[valid].astype(np.int64), truth[valid].astype(np.int64)
        for what, labels in (("prediction", guess), ("target", truth)):
            if labels.size and not (0 <= labels.min() and labels.max() < self.classes):
                raise DatasetError(
                    f"segmentation: the {what} holds classes {labels.min()} to {labels.max()}, "
                    f"expected 0 to {self.classes - 1} (or {IGNORE} in targets)"
                )
        pairs = np.bincount(truth * self.classes + guess, minlength=self.classes**2)
        self.confusion += pairs.reshape(self.classes, self.classes)

    def per_class(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """IoU of each class in 0..1, NaN for those that occur nowhere."""
        hit = np.diag(self.confusion).astype(np.float64)
        union = self.confusion.sum(0) + self.confusion.sum(1) - hit
        return np.divide(hit, union, out=np.full(self.classes, np.nan), where=union > 0)

    def value(self) -> float:
        """Mean IoU in per cent."""
        each = self.per_class()
        if np.isnan(each).all():
            return float("nan")
        mean = np.nan_to_num(each).mean() if self.absent_as_zero else np.nanmean(each)
        return 100 * float(mean)
