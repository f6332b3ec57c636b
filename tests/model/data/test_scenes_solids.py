"""The casts against dense marching along the ray in float64 through each solid's definition."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from m3vit.model.data.scenes_objects import Shape
from m3vit.model.data.scenes_solids import Box, Ellipsoid, Frustum
from m3vit.model.data.scenes_vessels import Ring, Vessel

Inside = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _in_vessel(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    rho = np.sqrt(x * x + y * y)
    outer = 0.5 + 0.4 * z / 0.8
    hollow = (rho < outer - 0.08) & (z > 0.3)
    return (z > 0) & (z < 0.8) & (rho < outer) & ~hollow


def _in_ring(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    rho = np.sqrt(x * x + y * y)
    return (z > 0) & (z < 0.4) & (rho < 0.9) & (rho > 0.6)


SOLIDS: dict[str, tuple[Shape, Inside]] = {
    "ellipsoid": (
        Ellipsoid(radii=(0.9, 0.7, 0.5)),
        lambda x, y, z: (x / 0.9) ** 2 + (y / 0.7) ** 2 + (z / 0.5) ** 2 < 1,
    ),
    "box": (
        Box(half=(0.9, 0.4, 0.6)),
        lambda x, y, z: (abs(x) < 0.9) & (abs(y) < 0.4) & (abs(z) < 0.6),
    ),
    "cylinder": (
        Frustum(bottom=0.7, top=0.7, height=0.9),
        lambda x, y, z: (x * x + y * y < 0.49) & (z > 0) & (z < 0.9),
    ),
    "cone": (
        Frustum(bottom=0.8, top=0.0, height=1.0),
        lambda x, y, z: (x * x + y * y < (0.8 * (1 - z)) ** 2) & (z > 0) & (z < 1),
    ),
    "vessel": (Vessel(bottom=0.5, top=0.9, height=0.8, wall=0.08, level=0.3), _in_vessel),
    "ring": (Ring(outer=0.9, wall=0.3, width=0.4, cut=-2.0), _in_ring),
}
STEP = 1e-3
SPAN = np.arange(STEP, 5, STEP)

coordinate = st.floats(-1, 1, allow_nan=False, width=32)


@pytest.mark.parametrize("name", list(SOLIDS))
@settings(max_examples=40, deadline=None)
@given(
    aim=st.tuples(coordinate, coordinate, coordinate),
    origin=st.tuples(coordinate, coordinate, coordinate),
)
def test_cast_finds_the_first_point_of_the_solid(
    name: str, aim: tuple[float, float, float], origin: tuple[float, float, float]
) -> None:
    shape, inside = SOLIDS[name]
    start = np.array(origin, np.float64)
    assume(np.abs(start).max() > 0.1)
    start *= 2.0 / np.abs(start).max()  # on a cube well outside the solid
    d = np.array(aim) - start
    d /= np.linalg.norm(d)
    p = start[:, None] + d[:, None] * SPAN
    nudges = [np.array(n)[:, None] for n in product((-1e-4, 0, 1e-4), repeat=3)]
    marched = np.flatnonzero(np.logical_and.reduce([inside(*(p + n)) for n in nudges]))
    t = _cast(shape, start, d)
    # Rays closer than 0.1 mm to an edge may slip through the seam, so they prove nothing.
    if marched.size:
        assert t <= SPAN[marched[0]] + STEP
    if np.isfinite(t):
        near = start[:, None] + d[:, None] * (t + np.arange(-3, 4) * 1e-4)
        assert any(
            inside(*(near + np.array(nudge)[:, None])).any()
            for nudge in product((-1e-3, 0, 1e-3), repeat=3)
        )


def _cast(shape: Shape, origin: np.ndarray, direction: np.ndarray) -> float:
    o = tuple(float(c) for c in origin)
    d = tuple(np.array([c], np.float32) for c in direction)
    with np.errstate(all="ignore"):
        return float(shape.cast((o[0], o[1], o[2]), (d[0], d[1], d[2]))[0])


@pytest.mark.parametrize("name", list(SOLIDS))
def test_primary_and_shadow_rays_agree_and_normals_point_out(name: str) -> None:
    shape, inside = SOLIDS[name]
    draws = np.random.default_rng(0).uniform(-1, 1, (2, 3, 400))
    origin = (draws[0] / np.abs(draws[0]).max(0) * 2).astype(np.float32)
    towards = (draws[1] * 0.8 - origin).astype(np.float32)
    with np.errstate(all="ignore"):
        t = shape.cast((*origin,), (*towards,))
    hit = np.isfinite(t)
    assert hit.sum() > 50
    for i in np.flatnonzero(hit)[:40]:
        assert _cast(shape, origin[:, i].astype(float), towards[:, i]) == pytest.approx(
            float(t[i]), abs=1e-3
        )
    points = (origin + t * towards)[:, hit]
    (nx, ny, nz), face = shape.surface((*points,))
    normal = np.stack(np.broadcast_arrays(nx, ny, nz)).astype(np.float64)
    normal /= np.linalg.norm(normal, axis=0)
    # A millimetre along the normal is outside, against it inside; corners excepted.
    assert inside(*(points - 2e-3 * normal)).mean() > 0.97
    assert inside(*(points + 2e-3 * normal)).mean() < 0.03
    assert np.max(face) <= 2
    assert (np.sum(normal * towards[:, hit], axis=0) < 1e-3).mean() > 0.97


def test_a_cut_ring_has_nothing_behind_its_cut() -> None:
    ring = Ring(outer=0.9, wall=0.3, width=0.4, cut=0.0)
    x = np.linspace(-0.9, 0.9, 37).astype(np.float32)
    zero = np.zeros_like(x)
    with np.errstate(all="ignore"):
        t = ring.cast((x, zero, zero + 2), (zero, zero, zero - 1))
    assert np.isfinite(t).tolist() == [bool(0.6 <= v <= 0.9) for v in x.tolist()]


def test_bounds_hold_every_hit() -> None:
    for shape, _ in SOLIDS.values():
        a, b, low, high = shape.bounds
        grid = np.linspace(-1.5, 1.5, 61, dtype=np.float32)
        x, y = np.meshgrid(grid, grid)
        with np.errstate(all="ignore"):
            t = shape.cast((x, y, np.full_like(x, 3)), (0.0, 0.0, -1.0))
        seen = np.isfinite(t)
        assert np.abs(x[seen]).max() <= a + 1e-6
        assert np.abs(y[seen]).max() <= b + 1e-6
        assert (3 - t[seen]).max() <= high + 1e-5
        assert (3 - t[seen]).min() >= low - 1e-5
