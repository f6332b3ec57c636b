"""What stands where: the random description of a scene, in metres, before anything is drawn."""

import math
from dataclasses import dataclass, replace

from m3vit.model.data.scenes_camera import Camera, Dice, Vector, add_scaled, dot, look_at, unit
from m3vit.model.data.scenes_makers import draw_object
from m3vit.model.data.scenes_materials import Material, Patch, draw_material
from m3vit.model.data.scenes_objects import BACKGROUND, FLOOR, Solid

_GROUND = ("plain", "mottled", "mottled", "speckled", "stripes", "checks", "tiles", "wood", "wood")


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Half space boundary normal . p = offset with in-plane axes u, v.

    ``limits``: u and v ranges outside which the plane ends (a table top).
    """

    label: int
    normal: Vector
    offset: float
    u: Vector
    v: Vector
    material: Material
    limits: tuple[float, float, float, float] | None = None
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """Direction to the light (world), its colour, ambient colour and the sky's two colours."""

    direction: Vector
    colour: Vector
    ambient: Vector
    zenith: Vector
    horizon: Vector


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything the renderer needs; ``objects`` numbers the stack that each solid belongs to."""

    camera: Camera
    lighting: Lighting
    planes: tuple[Plane, ...]
    solids: tuple[Solid, ...]
    objects: tuple[int, ...]


def draw_scene(dice: Dice, height: int, width: int) -> Scene:
    """Draw a scene that suits an image of ``height`` x ``width`` pixels."""
    close = dice.chance(0.25)
    camera, distance = _draw_camera(dice, math.sqrt(height * width), close)
    reach = distance * 0.5 * width / camera.focal
    planes = _draw_planes(dice, distance)
    stacks = _draw_stacks(dice, planes, reach, camera, distance, close)
    return Scene(
        camera=camera,
        lighting=_draw_lighting(dice),
        planes=planes,
        solids=tuple(solid for stack in stacks for solid in stack),
        objects=tuple(number for number, stack in enumerate(stacks) for _ in stack),
    )


def _draw_camera(dice: Dice, extent: float, close: bool) -> tuple[Camera, float]:
    """Draw a camera and its distance in metres from the middle of the scene."""
    distance = 0.45 + 1.6 * dice.uniform(0, 1) * dice.uniform(0.2, 1)
    if close:
        distance = dice.uniform(0.35, 0.65)
    sine = dice.uniform(0.12, 0.93)
    ahead = distance * math.sqrt(1 - sine * sine)
    target = (dice.uniform(-0.1, 0.1), dice.uniform(-0.05, 0.1), dice.uniform(0, 0.12))
    position = (0.0, -ahead, distance * sine + 0.03)
    roll = dice.uniform(-0.1, 0.1) if dice.chance(0.5) else 0.0
    return look_at(position, target, roll, extent * dice.uniform(0.9, 1.5)), distance


def _draw_lighting(dice: Dice) -> Lighting:
    x, y = dice.heading()
    tall = dice.uniform(0.5, 3.0)
    warmth, power = dice.uniform(-0.15, 0.2), dice.uniform(0.3, 1.1)
    base, tint = dice.uniform(0.3, 0.7), dice.uniform(-0.12, 0.08)
    blue = dice.uniform(0, 0.5)
    level = dice.uniform(0.4, 1.0)
    return Lighting(
        direction=unit((x, y, tall)),
        colour=(power * (1 + warmth), power, power * (1 - warmth)),
        ambient=(base * (1 + tint), base, base * (1 - tint)),
        zenith=(level * (1 - blue), level * (1 - blue / 2), level),
        horizon=(level, level, level * dice.uniform(0.85, 1.0)),
    )


def _floor(dice: Dice, height: float, patterns: int = 3) -> Plane:
    patches = tuple(_draw_patch(dice, 0.3) for _ in range(dice.integer(-2, patterns)))
    return Plane(
        label=FLOOR,
        normal=(0.0, 0.0, 1.0),
        offset=height,
        u=(1.0, 0.0, 0.0),
        v=(0.0, 1.0, 0.0),
        material=draw_material(dice, _GROUND),
        patches=patches,
    )


def _draw_patch(dice: Dice, size: float) -> Patch:
    return Patch(
        centre=(dice.uniform(-1, 1), dice.uniform(-0.5, 1.2)),
        half=(dice.uniform(0.1, 1.2) * size, dice.uniform(0.1, 1.2) * size),
        material=draw_material(dice),
    )


def _wall(dice: Dice, normal: Vector, offset: float) -> Plane:
    patches = tuple(_draw_patch(dice, 0.5) for _ in range(dice.integer(-1, 3)))
    return Plane(
        label=BACKGROUND,
        normal=normal,
        offset=offset,
        u=(-normal[1], normal[0], 0.0),
        v=(0.0, 0.0, 1.0),
        material=draw_material(dice),
        patches=patches,
    )


def _draw_planes(dice: Dice, distance: float) -> tuple[Plane, ...]:
    planes = [_floor(dice, 0.0)]
    behind = distance * dice.uniform(0.25, 1.6)
    if dice.chance(0.35):
        top = planes.pop()
        edges = (-dice.uniform(0.3, 2), dice.uniform(0.3, 2), -9.0, dice.uniform(0.2, 1.0))
        planes.append(_table(dice, top, edges))
        planes.append(_floor(dice, -dice.uniform(0.4, 0.9)))
        behind = max(behind, edges[3] + dice.uniform(0.02, 1.5))
    if dice.chance(0.65):
        slant = dice.uniform(-0.5, 0.5) if dice.chance(0.5) else 0.0
        normal = unit((slant, -1.0, 0.0))
        planes.append(_wall(dice, normal, normal[1] * behind))
        if dice.chance(0.35):
            sign = dice.pick((-1.0, 1.0))
            planes.append(_wall(dice, (-sign, 0.0, 0.0), -distance * dice.uniform(0.5, 1.2)))
    return tuple(planes)


def _table(dice: Dice, top: Plane, edges: tuple[float, float, float, float]) -> Plane:
    """End ``top`` at ``edges`` (left, right, near, far), turned by up to some 40 degrees."""
    turn = dice.uniform(-0.8, 0.8) if dice.chance(0.6) else 0.0
    x, y, _ = unit((1.0, turn, 0.0))
    return replace(top, u=(x, y, 0.0), v=(-y, x, 0.0), limits=edges)


def _draw_stacks(
    dice: Dice,
    planes: tuple[Plane, ...],
    reach: float,
    camera: Camera,
    distance: float,
    close: bool,
) -> list[list[Solid]]:
    wanted, placed = dice.integer(1, 3 if close else 7), list[tuple[float, float, float]]()
    scale = dice.uniform(0.9, 1.8) * (0.3 + 0.8 * distance) * (1.7 if close else 1.0)
    stacks: list[list[Solid]] = []
    for _ in range(5 * wanted):
        if len(stacks) == wanted:
            break
        size = dice.uniform(0.06, 0.13) * scale
        spread = 1.0 if stacks else 0.3  # the first object stands near the middle
        x = dice.uniform(-0.9, 0.9) * reach * spread
        y = dice.uniform(-0.35, 0.75) * min(distance, 1.2) * spread
        away = add_scaled(camera.position, (x, y, 0.8 * size), -1.0)
        roomy = dot(away, away) > (2.0 * size + 0.03) * (2.0 * size + 0.03)
        if roomy and _is_free(x, y, size, planes, placed):
            placed.append((x, y, size))
            stacks.append(draw_object(dice, x, y, size))
    return stacks


def _is_free(
    x: float,
    y: float,
    size: float,
    planes: tuple[Plane, ...],
    placed: list[tuple[float, float, float]],
) -> bool:
    for plane in planes:
        if plane.normal[2] == 0.0:
            clearance = plane.normal[0] * x + plane.normal[1] * y - plane.offset
            if clearance < size * 1.1:
                return False
        if plane.limits is not None:
            left, right, _, rear = plane.limits
            along, deep = plane.u[0] * x + plane.u[1] * y, plane.v[0] * x + plane.v[1] * y
            if not (left + size * 0.6 < along < right - size * 0.6 and deep < rear - size * 0.6):
                return False
    return all(
        (x - a) * (x - a) + (y - b) * (y - b) > (size + r) * (size + r) for a, b, r in placed
    )
