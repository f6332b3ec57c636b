"""Visibility: which surface each pixel sees, and how far away."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m3vit.model.data.scenes_camera import Camera, Image, Vector, add_scaled, dot
from m3vit.model.data.scenes_layout import Plane, Scene
from m3vit.model.data.scenes_objects import Solid

SKY = 255
"""Surface index where nothing is hit; planes come first, then solids."""

MAX_DEPTH = 10.0
"""Metres beyond which depth and normals are invalid."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What the camera sees, flattened to N = H * W pixels.

    ``depth`` float32 (0 in the sky), ``surface`` uint8, ``points`` three float32 arrays in the
    camera frame (0 in the sky).
    """

    depth: Image
    surface: NDArray[np.uint8]
    points: tuple[Image, Image, Image]


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A solid's frame in the camera frame."""

    origin: Vector
    axes: tuple[Vector, Vector, Vector]

    @classmethod
    def of(cls, solid: Solid, camera: Camera) -> "Pose":
        """Transform the solid's world frame."""
        x, y, z = (camera.rotate(axis) for axis in solid.axes)
        return cls(origin=camera.view(solid.origin), axes=(x, y, z))

    def enter(self, point: Vector) -> Vector:
        """Camera-frame point in the solid's frame."""
        moved = add_scaled(point, self.origin, -1.0)
        return dot(self.axes[0], moved), dot(self.axes[1], moved), dot(self.axes[2], moved)


def see(scene: Scene, height: int, width: int) -> View:
    """Cast one ray through each pixel centre."""
    x, y = scene.camera.rays(height, width)
    depth = np.full((height, width), np.inf, np.float32)
    surface = np.full((height, width), SKY, np.uint8)
    for index, plane in enumerate(scene.planes):
        _cast_plane(plane, scene.camera, (x, y), depth, surface, index)
    for index, solid in enumerate(scene.solids, len(scene.planes)):
        _cast_solid(solid, scene.camera, (x, y), depth, surface, index)
    depth[surface == SKY] = 0
    points = ((x * depth).reshape(-1), (y * depth).reshape(-1), -depth.reshape(-1))
    return View(depth=depth.reshape(-1), surface=surface.reshape(-1), points=points)


def _cast_plane(
    plane: Plane,
    camera: Camera,
    slopes: tuple[Image, Image],
    depth: Image,
    surface: NDArray[np.uint8],
    index: int,
) -> None:
    x, y = slopes
    normal = camera.rotate(plane.normal)
    gap = plane.offset - dot(plane.normal, camera.position)
    t = gap / (normal[0] * x + (normal[1] * y - normal[2]))
    closer = (t > 0) & (t < depth)
    if plane.limits is not None:
        for axis, low, high in ((plane.u, *plane.limits[:2]), (plane.v, *plane.limits[2:])):
            a, start = camera.rotate(axis), dot(axis, camera.position)
            along = t * (a[0] * x + (a[1] * y - a[2])) + start
            closer &= (along > low) & (along < high)
    np.copyto(depth, t, where=closer)
    surface[closer] = index


def _window(
    solid: Solid, pose: Pose, focal: float, height: int, width: int
) -> tuple[slice, slice] | None:
    """Rows and columns that the solid can cover, from the corners of its bounding box."""
    a, b, low, high = solid.shape.bounds
    columns, rows = [], []
    for corner in ((i, j, k) for i in (-a, a) for j in (-b, b) for k in (low, high)):
        p = pose.origin
        for axis, amount in zip(pose.axes, corner, strict=True):
            p = add_scaled(p, axis, amount)
        if p[2] > -0.02:
            return slice(0, height), slice(0, width)
        columns.append(width / 2 - focal * p[0] / p[2])
        rows.append(height / 2 + focal * p[1] / p[2])
    top, bottom = max(0, int(min(rows))), min(height, int(max(rows)) + 1)
    left, right = max(0, int(min(columns))), min(width, int(max(columns)) + 1)
    return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None


def _cast_solid(
    solid: Solid,
    camera: Camera,
    slopes: tuple[Image, Image],
    depth: Image,
    surface: NDArray[np.uint8],
    index: int,
) -> None:
    pose = Pose.of(solid, camera)
    window = _window(solid, pose, camera.focal, *depth.shape)
    if window is None:
        return
    x, y = slopes[0][:, window[1]], slopes[1][window[0]]
    d0, d1, d2 = (a[0] * x + (a[1] * y - a[2]) for a in pose.axes)
    t = solid.shape.cast(pose.enter((0.0, 0.0, 0.0)), (d0, d1, d2))
    closer = t < depth[window]
    np.copyto(depth[window], t, where=closer)
    surface[window][closer] = index


def blocked(
    scene: Scene,
    view: View,
    light: Vector,
    normals: tuple[Image, Image, Image],
    facing: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Pixels [N] whose way towards ``light`` (camera frame) a solid bars, where ``facing`` it."""
    x, y, z = (p + n * 0.003 for p, n in zip(view.points, normals, strict=True))
    along = light[0] * x + light[1] * y + light[2] * z
    spread = x * x + y * y + z * z - along * along
    spread[~facing] = np.inf
    barred = np.zeros(x.shape, bool)
    for index, solid in enumerate(scene.solids, len(scene.planes)):
        pose = Pose.of(solid, scene.camera)
        centre, radius = _ball_around(solid, pose)
        ahead = dot(centre, light)
        side = add_scaled(centre, light, -ahead)
        # Squared distance of the light's path from the centre: spread - 2 side . p + side^2.
        gap = spread - (2 * side[0] * x + 2 * side[1] * y + 2 * side[2] * z)
        near = gap < radius * radius - dot(side, side)
        rows = np.flatnonzero(near & (along < ahead + radius))
        if not solid.shape.hollow:
            rows = rows[view.surface[rows] != index]
        if rows.size:
            barred[rows] |= _bars(solid, pose, light, (x[rows], y[rows], z[rows]))
    return barred


def _ball_around(solid: Solid, pose: Pose) -> tuple[Vector, float]:
    a, b, low, high = solid.shape.bounds
    centre = add_scaled(pose.origin, pose.axes[2], (low + high) / 2)
    half = (high - low) / 2
    return centre, float(np.sqrt(a * a + b * b + half * half))


def _bars(
    solid: Solid, pose: Pose, light: Vector, points: tuple[Image, Image, Image]
) -> NDArray[np.bool_]:
    x, y, z = (p - c for p, c in zip(points, pose.origin, strict=True))
    o0, o1, o2 = (a[0] * x + a[1] * y + a[2] * z for a in pose.axes)
    d0, d1, d2 = (dot(a, light) for a in pose.axes)
    hit: NDArray[np.bool_] = np.isfinite(solid.shape.cast((o0, o1, o2), (d0, d1, d2)))
    return hit
