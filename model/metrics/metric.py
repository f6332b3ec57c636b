"""What every metric offers, and the checks that they share."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import DatasetError

Field = NDArray[Any]


class Metric(Protocol):
    """An accumulator over images.

    ``value`` is NaN as long as no valid pixel has been seen.
    """

    name: str
    unit: str
    lower_is_better: bool

    def update(self, prediction: Field, target: Field) -> None:
        """Add one image: prediction and target of the same height and width.

        Raises:
            DatasetError: the shapes differ or the prediction is not finite.
        """

    def value(self) -> float:
        """The metric over all images so far."""


def checked(what: str, prediction: Any, target: Any) -> tuple[Field, Field]:
    """Both as arrays, after checking that they cover the same pixels and are finite.

    Raises:
        DatasetError: they do not.
    """
    a, b = np.asarray(prediction), np.asarray(target)
    if a.shape != b.shape:
        raise DatasetError(
            f"{what}: the prediction is {list(a.shape)}, the target {list(b.shape)}; "
            "resize the prediction to the target first"
        )
    if a.dtype.kind == "f" and not np.isfinite(a).all():
        raise DatasetError(f"{what}: the prediction holds non-finite values; expected finite ones")
    return a, b
