"""Ray intersections and normals of the solids, in each solid's own frame.

A ray is origin + t * direction; its components are Python floats or float32 arrays that broadcast
together, so that the same code casts primary rays (one origin) and shadow rays (one direction).
Distances are float32, infinite where the ray misses.  `surface` returns the outward normal (not
normalised) and the face (0, 1, 2) at points on the solid.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m3vit.model.data.scenes_camera import Image

Component = Any  # float or Image; numpy has no name for "either, broadcasting"
Ray = tuple[Component, Component, Component]
FAR = np.float32(np.inf)


def _kept(t: Image, valid: Any) -> Image:
    return np.where(valid & (t > 1e-4), t, FAR)


@dataclass(frozen=True, kw_only=True)
class Ellipsoid:
    """Centred at the origin, with three semi-axes (metres)."""

    hollow: ClassVar[bool] = False
    radii: tuple[float, float, float]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Half extents in x and y, lowest and highest z."""
        x, y, z = self.radii
        return x, y, -z, z

    def cast(self, origin: Ray, direction: Ray) -> Image:
        """Distance to the near surface."""
        o = [c / r for c, r in zip(origin, self.radii, strict=True)]
        d = [c / r for c, r in zip(direction, self.radii, strict=True)]
        a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
        c = o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1.0
        root = b * b - a * c
        t = (-b - np.sqrt(np.maximum(root, 0))) / a
        return _kept(t, root > 0)

    def surface(self, p: Ray) -> tuple[Ray, Any]:
        """Outward normal and face (always 0)."""
        x, y, z = self.radii
        return (p[0] / (x * x), p[1] / (y * y), p[2] / (z * z)), 0


@dataclass(frozen=True, kw_only=True)
class Box:
    """Centred at the origin, with three half edges (metres)."""

    hollow: ClassVar[bool] = False
    half: tuple[float, float, float]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Half extents in x and y, lowest and highest z."""
        x, y, z = self.half
        return x, y, -z, z

    def cast(self, origin: Ray, direction: Ray) -> Image:
        """Distance to the near surface, by slabs."""
        near: Any = None
        far: Any = None
        for o, d, h in zip(origin, direction, self.half, strict=True):
            d = d + 1e-12
            one, other = (-h - o) / d, (h - o) / d
            low, high = np.minimum(one, other), np.maximum(one, other)
            near = low if near is None else np.maximum(near, low)
            far = high if far is None else np.minimum(far, high)
        return _kept(near, near < far)

    def surface(self, p: Ray) -> tuple[Ray, Any]:
        """Outward normal and face (0, 1, 2 = across x, y, z)."""
        x, y, z = (c / h for c, h in zip(p, self.half, strict=True))
        ax, ay, az = abs(x), abs(y), abs(z)
        is_z = (az >= ax) & (az >= ay)
        is_y = (ay >= ax) & ~is_z
        is_x = ~(is_y | is_z)
        return (x * is_x, y * is_y, z * is_z), is_y + np.uint8(2) * is_z


@dataclass(frozen=True, kw_only=True)
class Frustum:
    """Cylinder, cone or anything between, standing on z = 0; radii at bottom and top."""

    hollow: ClassVar[bool] = False
    bottom: float
    top: float
    height: float

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Half extents in x and y, lowest and highest z."""
        r = max(self.bottom, self.top)
        return r, r, 0.0, self.height

    def cast(self, origin: Ray, direction: Ray) -> Image:
        """Distance to the near surface."""
        near, far = side(origin, direction, self.bottom, self.top, self.height, 0.0)
        low = disc(origin, direction, 0.0, self.bottom)
        high = disc(origin, direction, self.height, self.top)
        return np.minimum(np.minimum(near, far), np.minimum(low, high))

    def surface(self, p: Ray) -> tuple[Ray, Any]:
        """Outward normal and face (0 = side, 1 = top, 2 = bottom)."""
        is_top = (p[2] > self.height - 1e-4) & (self.top > 0)
        is_bottom = p[2] < 1e-4
        is_side = ~(is_top | is_bottom)
        lean = -side_normal_z(p, self.bottom, self.top, self.height)
        nz = np.where(is_side, lean, np.where(is_top, np.float32(1), np.float32(-1)))
        return (p[0] * is_side, p[1] * is_side, nz), is_top + np.uint8(2) * is_bottom


def side(
    origin: Ray, direction: Ray, bottom: float, top: float, height: float, floor: float
) -> tuple[Image, Image]:
    """Both distances to the side of a frustum between z = floor and z = height."""
    k = (top - bottom) / height
    ox, oy, oz = origin
    dx, dy, dz = direction
    radius, slope = k * oz + bottom, k * dz
    a = dx * dx + dy * dy - slope * slope
    b = ox * dx + oy * dy - radius * slope
    c = ox * ox + oy * oy - radius * radius
    disc_ = b * b - a * c
    root = np.sqrt(np.maximum(disc_, 0))
    found = []
    for t in ((-b - root) / a, (-b + root) / a):
        z = oz + t * dz
        found.append(_kept(t, (disc_ > 0) & (z >= floor) & (z <= height)))
    return found[0], found[1]


def side_normal_z(p: Ray, bottom: float, top: float, height: float) -> Image:
    """Minus the z component of the side's outward normal whose x and y are those of ``p``."""
    k = (top - bottom) / height
    return np.asarray(k * (k * p[2] + bottom), np.float32)


def disc(origin: Ray, direction: Ray, z: float, outer: float, inner: float = 0.0) -> Image:
    """Distance to the horizontal ring at height ``z`` between two radii."""
    t = (z - origin[2]) / (direction[2] + 1e-12)
    x, y = origin[0] + t * direction[0], origin[1] + t * direction[1]
    square = x * x + y * y
    return _kept(t, (square <= outer * outer) & (square >= inner * inner))
