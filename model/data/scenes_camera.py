"""Vectors and the pinhole camera of the rendered scenes.

World frame: x right, y away from the viewer, z up, floor at z = 0, metres.  Camera frame: x right,
y up, z towards the viewer, so that a pixel's ray is (X, Y, -1) and the ray parameter is the depth
along the optical axis.  Only operations that IEEE 754 rounds exactly are used (no sine, no power,
no reduction over floats), which makes every scene the same on every machine.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Image = NDArray[np.float32]
T = TypeVar("T")


def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product, right-handed."""
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def unit(a: Vector) -> Vector:
    """``a`` scaled to length one."""
    length = math.sqrt(dot(a, a))
    return (a[0] / length, a[1] / length, a[2] / length)


def add_scaled(a: Vector, b: Vector, factor: float) -> Vector:
    """``a + factor * b``."""
    return (a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2])


class Dice:
    """Random numbers of one scene, from a generator whose sequence Python guarantees."""

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def uniform(self, low: float, high: float) -> float:
        """Draw from [low, high)."""
        return low + (high - low) * self._next()

    def chance(self, probability: float) -> bool:
        """Return true with the given probability."""
        return self._next() < probability

    def pick(self, options: Sequence[T]) -> T:
        """Draw one of ``options``, each as likely."""
        return options[int(self._next() * len(options))]

    def integer(self, low: int, high: int) -> int:
        """Draw from low..high, both included."""
        return low + int(self._next() * (high - low + 1))

    def heading(self) -> tuple[float, float]:
        """Cosine and sine of an angle over the whole circle, by rejection in the disc."""
        while True:
            x, y = self.uniform(-1, 1), self.uniform(-1, 1)
            square = x * x + y * y
            if 0.01 < square < 1:
                length = math.sqrt(square)
                return x / length, y / length


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera: ``position`` in the world, unit axes, focal length in pixels."""

    position: Vector
    right: Vector
    up: Vector
    back: Vector
    focal: float

    def rotate(self, vector: Vector) -> Vector:
        """Direction ``vector`` of the world in the camera frame."""
        return (dot(self.right, vector), dot(self.up, vector), dot(self.back, vector))

    def view(self, point: Vector) -> Vector:
        """Point of the world in the camera frame."""
        return self.rotate(add_scaled(point, self.position, -1.0))

    def rays(self, height: int, width: int) -> tuple[Image, Image]:
        """Ray slopes X [1, W] and Y [H, 1] (float32) of the pixel centres."""
        x = (np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)) / np.float32(
            self.focal
        )
        y = (np.float32(height / 2 - 0.5) - np.arange(height, dtype=np.float32)) / np.float32(
            self.focal
        )
        return x[None, :], y[:, None]


def look_at(position: Vector, target: Vector, roll: float, focal: float) -> Camera:
    """Camera at ``position`` that looks at ``target``; ``roll`` tilts it (tangent of angle)."""
    back = unit(add_scaled(position, target, -1.0))
    right = unit(cross((0.0, 0.0, 1.0), back))
    up = cross(back, right)
    tilted = unit(add_scaled(right, up, roll))
    return Camera(position=position, right=tilted, up=cross(back, tilted), back=back, focal=focal)
