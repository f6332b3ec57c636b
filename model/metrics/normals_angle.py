"""Mean angle between predicted and true surface normals."""

import numpy as np

from m3vit.model.metrics.metric import Field, checked


class NormalsAngle:
    """Mean over all valid pixels of the angle between the normals, in degrees.

    Pixels whose target is the zero vector are invalid.  Predictions need not be of unit length;
    a zero prediction has no direction and counts as 90 degrees.  (The original code rounds
    predictions to 8 bits first, which adds up to some 0.3 degrees.)
    """

    name = "mean angle"
    unit = "deg"
    lower_is_better = True

    def __init__(self) -> None:
        self.degrees = 0.0
        self.pixels = 0

    def update(self, prediction: Field, target: Field) -> None:
        """Add normals [H, W, 3] and their target float32 [H, W, 3].

        Raises:
            DatasetError: the shapes differ or the prediction is not finite.
        """
        guess, truth = checked("normals", prediction, target)
        valid = np.any(truth != 0, axis=-1)
        a, b = guess[valid].astype(np.float64), truth[valid].astype(np.float64)
        cross = np.linalg.norm(np.cross(a, b), axis=-1)
        inner = (a * b).sum(-1)
        # The arc tangent of both, unlike the arc cosine, is exact for small angles too.
        angle = np.where((cross == 0) & (inner == 0), np.pi / 2, np.arctan2(cross, inner))
        self.degrees += float(np.degrees(angle).sum())
        self.pixels += int(valid.sum())

    def value(self) -> float:
        """Mean angle in degrees."""
        return self.degrees / self.pixels if self.pixels else float("nan")
