"""The things that stand in a scene: single objects and small stacks of them."""

from collections.abc import Callable
from dataclasses import dataclass

from m3vit.model.data.scenes_camera import Dice, Vector, add_scaled
from m3vit.model.data.scenes_materials import Material, draw_material
from m3vit.model.data.scenes_objects import BALL, BOX, CONE, CUP, CYLINDER, PLATE, Shape, Solid
from m3vit.model.data.scenes_solids import Box, Ellipsoid, Frustum
from m3vit.model.data.scenes_vessels import Ring, Vessel

_UP: Vector = (0.0, 0.0, 1.0)
_CALM = ("plain", "plain", "mottled", "speckled", "stripes")
_BUSY = ("plain", "plain", "mottled", "speckled", "stripes", "checks", "wood")
_CHINA = ("plain", "plain", "plain", "plain", "mottled", "speckled", "stripes")


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where an object goes: base centre, heading, the radius (metres) it may take."""

    base: Vector
    axes: tuple[Vector, Vector, Vector]
    size: float

    def solid(
        self, label: int, shape: Shape, materials: tuple[Material, Material, Material], lift: float
    ) -> Solid:
        """Place ``shape`` with its origin ``lift`` metres above the base."""
        origin = add_scaled(self.base, _UP, lift)
        return Solid(label=label, shape=shape, origin=origin, axes=self.axes, materials=materials)


def draw_object(dice: Dice, x: float, y: float, size: float) -> list[Solid]:
    """Draw one object or stack that stands within ``size`` metres of (x, y) on the floor."""
    spot = Spot(base=(x, y, 0.0), axes=_axes(dice), size=size)
    if dice.chance(0.25):
        return _draw_stack(dice, spot)
    return dice.pick(_MAKERS)(dice, spot)[0]


def _axes(dice: Dice) -> tuple[Vector, Vector, Vector]:
    cosine, sine = dice.heading()
    return (cosine, sine, 0.0), (-sine, cosine, 0.0), _UP


def _draw_stack(dice: Dice, spot: Spot) -> list[Solid]:
    below, top, room = dice.pick((_plate, _plate, _box, _cylinder))(dice, spot)
    if room == 0:
        return below
    base = add_scaled(spot.base, _UP, top)
    above = Spot(base=base, axes=_axes(dice), size=room)
    on_plate = below[0].label == PLATE
    makers = (_cup, _cup, _cup, _ball) if on_plate else (_ball, _box, _cup, _cone)
    return below + dice.pick(makers)(dice, above)[0]


# Each maker returns the solids, the height of their top and the radius free to stand on there.
_Made = tuple[list[Solid], float, float]


def _coat(
    dice: Dice, patterns: tuple[str, ...], each: float
) -> tuple[Material, Material, Material]:
    """Materials of the three faces; each of the last two differs with probability ``each``."""
    outside = draw_material(dice, patterns)
    others = [draw_material(dice, patterns) if dice.chance(each) else outside for _ in range(2)]
    return outside, others[0], others[1]


def _ball(dice: Dice, spot: Spot) -> _Made:
    r = spot.size * dice.uniform(0.5, 0.95)
    flat = dice.uniform(0.7, 1.0) if dice.chance(0.3) else 1.0
    shape = Ellipsoid(radii=(r, r, r * flat))
    return [spot.solid(BALL, shape, _coat(dice, _CALM, 0), r * flat)], 2 * r * flat, 0.0


def _box(dice: Dice, spot: Spot) -> _Made:
    a, b = (spot.size * dice.uniform(0.35, 0.8) for _ in range(2))
    h = spot.size * dice.uniform(0.08, 1.1)
    solid = spot.solid(BOX, Box(half=(a, b, h)), _coat(dice, _BUSY, 0.2), h)
    return [solid], 2 * h, min(a, b)


def _cylinder(dice: Dice, spot: Spot) -> _Made:
    r = spot.size * dice.uniform(0.3, 0.7)
    h = spot.size * dice.uniform(0.4, 2.2)
    shape = Frustum(bottom=r, top=r * dice.pick((1.0, 1.0, 0.9)), height=h)
    coat = _coat(dice, _BUSY, 0.4)
    if dice.chance(0.25) and h < 1.8 * spot.size:
        along, across, up = spot.axes
        base = add_scaled(spot.base, along, -h / 2)
        lying = Spot(base=base, axes=(across, up, along), size=spot.size)
        return [lying.solid(CYLINDER, shape, coat, r)], 2 * r, 0.0
    return [spot.solid(CYLINDER, shape, coat, 0.0)], h, r * 0.9


def _cone(dice: Dice, spot: Spot) -> _Made:
    r = spot.size * dice.uniform(0.45, 0.85)
    shape = Frustum(bottom=r, top=0.0, height=r * dice.uniform(1.2, 2.8))
    return [spot.solid(CONE, shape, _coat(dice, _CALM, 0), 0.0)], shape.height, 0.0


def _cup(dice: Dice, spot: Spot) -> _Made:
    top = spot.size * dice.uniform(0.55, 0.85)
    bottom = top * dice.uniform(0.5, 1.0)
    height = top * dice.uniform(0.9, 2.2)
    wall, level = top * dice.uniform(0.05, 0.12), height * dice.uniform(0.1, 0.9)
    shape = Vessel(bottom=bottom, top=top, height=height, wall=wall, level=level)
    coat = _coat(dice, _CHINA, 0.5)
    if dice.chance(0.6):
        coat = (coat[0], coat[1], draw_material(dice))
    solids = [spot.solid(CUP, shape, coat, 0.0)]
    if dice.chance(0.65):
        solids.append(_handle(dice, spot, shape, coat[0]))
    return solids, height, 0.0


def _handle(dice: Dice, spot: Spot, cup: Vessel, material: Material) -> Solid:
    """A ring upright on the cup's side, cut off where it would reach inside."""
    outer = cup.height * dice.uniform(0.25, 0.38)
    width, middle = outer * dice.uniform(0.3, 0.6), cup.height * dice.uniform(0.45, 0.6)
    radius = cup.bottom + (cup.top - cup.bottom) * middle / cup.height
    shape = Ring(outer=outer, wall=outer * dice.uniform(0.25, 0.4), width=width, cut=-outer * 0.3)
    (x, y, _), _, _ = spot.axes
    across = (y, -x, 0.0)
    place = add_scaled(
        add_scaled(spot.base, (x, y, 0.0), radius + outer * 0.25), across, -width / 2
    )
    return Solid(
        label=CUP,
        shape=shape,
        origin=add_scaled(place, _UP, middle),
        axes=((x, y, 0.0), _UP, across),
        materials=(material, material, material),
    )


def _plate(dice: Dice, spot: Spot) -> _Made:
    top = spot.size * dice.uniform(0.85, 1.0)
    height = top * dice.uniform(0.08, 0.25)
    bottom = top * dice.uniform(0.55, 0.8)
    wall, level = top * 0.06, height * 0.3
    shape = Vessel(bottom=bottom, top=top, height=height, wall=wall, level=level)
    coat = _coat(dice, _CHINA, 0.15)
    return [spot.solid(PLATE, shape, coat, 0.0)], level, top * dice.uniform(0.65, 0.95)


_MAKERS: tuple[Callable[[Dice, Spot], _Made], ...] = (_ball, _box, _cylinder, _cone, _cup, _plate)
