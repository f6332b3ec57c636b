"""The things that stand in a scene: single solids and small stacks of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from m3vit.model.data.scenes_camera import Dice, Image, Vector, add_scaled
from m3vit.model.data.scenes_materials import Material, draw_material
from m3vit.model.data.scenes_solids import Box, Component, Ellipsoid, Frustum, Ray
from m3vit.model.data.scenes_vessels import Vessel

BALL, BOX, CYLINDER, CONE, CUP, PLATE = range(2, 8)


class Shape(Protocol):
    """What the renderer asks of a solid's geometry."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Half extents in x and y, lowest and highest z."""

    def cast(self, origin: Ray, direction: Ray) -> Image:
        """Distance along the ray, infinite where it misses."""

    def surface(self, p: Ray) -> tuple[Ray, Component]:
        """Outward normal and face at points on the solid."""


@dataclass(frozen=True, kw_only=True)
class Solid:
    """A shape of class ``label`` whose frame has the given world origin and unit axes."""

    label: int
    shape: Shape
    origin: Vector
    axes: tuple[Vector, Vector, Vector]
    material: Material
    filling: Material


@dataclass(frozen=True, kw_only=True)
class _Spot:
    """Where an object goes: base centre, heading, the radius it may take."""

    base: Vector
    axes: tuple[Vector, Vector, Vector]
    size: float

    def solid(
        self, dice: Dice, label: int, shape: Shape, lift: float = 0.0, filled: float = 0.5
    ) -> Solid:
        material = draw_material(dice, _PATTERNS[label])
        return Solid(
            label=label,
            shape=shape,
            origin=add_scaled(self.base, (0.0, 0.0, 1.0), lift),
            axes=self.axes,
            material=material,
            filling=draw_material(dice) if dice.chance(filled) else material,
        )


_CALM = ("plain", "plain", "mottled", "speckled", "stripes")
_BUSY = ("plain", "plain", "mottled", "speckled", "stripes", "checks", "wood")
_CHINA = ("plain", "plain", "plain", "plain", "speckled", "stripes")
_PATTERNS = {BALL: _CALM, BOX: _BUSY, CYLINDER: _BUSY, CONE: _CALM, CUP: _CHINA, PLATE: _CHINA}


def draw_object(dice: Dice, x: float, y: float, size: float) -> list[Solid]:
    """Draw one object or stack that stands within ``size`` metres of (x, y) on the floor."""
    spot = _Spot(base=(x, y, 0.0), axes=_axes(dice), size=size)
    if dice.chance(0.25):
        return _draw_stack(dice, spot)
    return [dice.pick(_MAKERS)(dice, spot)[0]]


def _axes(dice: Dice) -> tuple[Vector, Vector, Vector]:
    cosine, sine = dice.heading()
    return (cosine, sine, 0.0), (-sine, cosine, 0.0), (0.0, 0.0, 1.0)


def _draw_stack(dice: Dice, spot: _Spot) -> list[Solid]:
    below, top, room = dice.pick((_plate, _plate, _box, _cylinder))(dice, spot)
    if room == 0:
        return [below]
    above = _Spot(
        base=add_scaled(spot.base, (0.0, 0.0, 1.0), top), axes=_axes(dice), size=room * 0.85
    )
    makers = (_cup, _cup, _cup, _ball) if below.label == PLATE else (_ball, _box, _cup, _cone)
    return [below, dice.pick(makers)(dice, above)[0]]


# Each maker returns the solid, the height of its top and the radius free to stand on there.
_Made = tuple[Solid, float, float]


def _ball(dice: Dice, spot: _Spot) -> _Made:
    r = spot.size * dice.uniform(0.5, 0.9)
    flat = dice.uniform(0.7, 1.0) if dice.chance(0.3) else 1.0
    return spot.solid(dice, BALL, Ellipsoid(radii=(r, r, r * flat)), r * flat), 2 * r * flat, 0.0


def _box(dice: Dice, spot: _Spot) -> _Made:
    a, b = (spot.size * dice.uniform(0.35, 0.75) for _ in range(2))
    h = spot.size * dice.uniform(0.15, 1.1)
    return spot.solid(dice, BOX, Box(half=(a, b, h)), h), 2 * h, min(a, b)


def _cylinder(dice: Dice, spot: _Spot) -> _Made:
    r = spot.size * dice.uniform(0.3, 0.65)
    h = spot.size * dice.uniform(0.5, 2.2)
    shape = Frustum(bottom=r, top=r * dice.pick((1.0, 1.0, 0.9)), height=h)
    if dice.chance(0.25) and h < 1.8 * spot.size:
        return _lay(spot, dice, shape), 2 * r, 0.0
    return spot.solid(dice, CYLINDER, shape), h, r * 0.9


def _lay(spot: _Spot, dice: Dice, shape: Frustum) -> Solid:
    along, across, up = spot.axes
    base = add_scaled(spot.base, along, -shape.height / 2)
    lying = _Spot(base=base, axes=(across, up, along), size=spot.size)
    return lying.solid(dice, CYLINDER, shape, shape.bottom)


def _cone(dice: Dice, spot: _Spot) -> _Made:
    r = spot.size * dice.uniform(0.45, 0.8)
    shape = Frustum(bottom=r, top=0.0, height=r * dice.uniform(1.2, 2.8))
    return spot.solid(dice, CONE, shape), shape.height, 0.0


def _cup(dice: Dice, spot: _Spot) -> _Made:
    top = spot.size * dice.uniform(0.5, 0.85)
    bottom = top * dice.uniform(0.55, 1.0)
    height = top * dice.uniform(1.1, 2.2)
    shape = Vessel(
        bottom=bottom,
        top=top,
        height=height,
        wall=top * dice.uniform(0.05, 0.12),
        level=height * dice.uniform(0.1, 0.9),
    )
    return spot.solid(dice, CUP, shape, filled=0.8), height, 0.0


def _plate(dice: Dice, spot: _Spot) -> _Made:
    top = spot.size * dice.uniform(0.8, 1.0)
    height = top * dice.uniform(0.1, 0.25)
    bottom = top * dice.uniform(0.55, 0.8)
    wall, level = top * 0.06, height * 0.3
    shape = Vessel(bottom=bottom, top=top, height=height, wall=wall, level=level)
    return spot.solid(dice, PLATE, shape, filled=0.2), level, bottom * 0.9


_MAKERS: tuple[Callable[[Dice, _Spot], _Made], ...] = (_ball, _box, _cylinder, _cone, _cup, _plate)
