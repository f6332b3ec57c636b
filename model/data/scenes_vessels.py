"""Hollow solids of revolution: cups and plates, perhaps filled, and the handles of cups."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m3vit.model.data.scenes_camera import Image
from m3vit.model.data.scenes_solids import FAR, Ray, disc, side, side_normal_z


@dataclass(frozen=True, kw_only=True)
class Vessel:
    """A frustum with an open top, wall thickness ``wall`` and filled up to z = ``level``."""

    hollow: ClassVar[bool] = True
    bottom: float
    top: float
    height: float
    wall: float
    level: float

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Half extents in x and y, lowest and highest z."""
        r = max(self.bottom, self.top)
        return r, r, 0.0, self.height

    def cast(self, origin: Ray, direction: Ray) -> Image:
        """Distance to the near surface."""
        inner = (self.bottom - self.wall, self.top - self.wall, self.height)
        filled = inner[0] + (inner[1] - inner[0]) * self.level / self.height
        near, far = side(origin, direction, self.bottom, self.top, self.height, 0.0)
        t = np.minimum(near, far)
        for other in side(origin, direction, *inner, self.level):
            t = np.minimum(t, other)
        t = np.minimum(t, disc(origin, direction, self.level, filled))
        t = np.minimum(t, disc(origin, direction, 0.0, self.bottom))
        return np.minimum(t, disc(origin, direction, self.height, self.top, inner[1]))

    def surface(self, p: Ray) -> tuple[Ray, Any]:
        """Normal out of the wall and face (0 = outside and rim, 1 = inside, 2 = filling)."""
        middle = self.bottom - self.wall / 2 + (self.top - self.bottom) / self.height * p[2]
        within = p[0] * p[0] + p[1] * p[1] < middle * middle
        is_filling = within & (abs(p[2] - self.level) < 1e-4)
        is_rim = p[2] > self.height - 1e-4
        is_bottom = p[2] < 1e-4
        flat = is_filling | is_rim | is_bottom
        sign = np.where(within, np.float32(-1), np.float32(1))
        lean = -side_normal_z(p, self.bottom, self.top, self.height)
        nz = np.where(flat, np.where(is_bottom, np.float32(-1), np.float32(1)), sign * lean)
        radial = sign * ~flat
        face = np.where(is_filling, np.uint8(2), within & ~is_rim)
        return (p[0] * radial, p[1] * radial, nz), face


@dataclass(frozen=True, kw_only=True)
class Ring:
    """A short pipe along z (0 to ``width``), of which only x >= ``cut`` exists: a handle."""

    hollow: ClassVar[bool] = True
    outer: float
    wall: float
    width: float
    cut: float

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Half extents in x and y, lowest and highest z."""
        return self.outer, self.outer, 0.0, self.width

    def cast(self, origin: Ray, direction: Ray) -> Image:
        """Distance to the near surface."""
        inner = self.outer - self.wall
        candidates = (
            *side(origin, direction, self.outer, self.outer, self.width, 0.0),
            *side(origin, direction, inner, inner, self.width, 0.0),
            disc(origin, direction, 0.0, self.outer, inner),
            disc(origin, direction, self.width, self.outer, inner),
        )
        nearest = np.full_like(candidates[0], FAR)
        for t in candidates:
            t = np.where(origin[0] + t * direction[0] >= self.cut, t, FAR)
            nearest = np.minimum(nearest, t)
        return nearest

    def surface(self, p: Ray) -> tuple[Ray, Any]:
        """Normal out of the material and face (always 0)."""
        middle = self.outer - self.wall / 2
        within = p[0] * p[0] + p[1] * p[1] < middle * middle
        first, last = p[2] < 1e-4, p[2] > self.width - 1e-4
        radial = np.where(within, np.float32(-1), np.float32(1)) * ~(first | last)
        return (p[0] * radial, p[1] * radial, last.astype(np.float32) - first), 0
