"""Colours and patterns of surfaces: noise, stripes, checks, wood, tiles, pictures."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from m3vit.model.data.scenes_camera import Dice, Image, Vector

PATTERNS = ("plain", "mottled", "speckled", "stripes", "checks", "wood", "tiles")
_SIZE = 256
_TEXTURES = 8


@dataclass(frozen=True, kw_only=True)
class Material:
    """Two colours mixed by a pattern of ``frequency`` periods a metre."""

    first: Vector
    second: Vector
    pattern: str = "plain"
    frequency: float = 8.0
    texels: float = 300.0
    grain: float = 0.3
    texture: int = 0
    gloss: float = 0.0
    turn: tuple[float, float] = (1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A rectangle of another material on a surface: rug, sheet of paper, picture."""

    centre: tuple[float, float]
    half: tuple[float, float]
    material: Material


def draw_colour(dice: Dice, saturation: float, low: float = 0.03, high: float = 0.95) -> Vector:
    """Draw a colour: a grey level, pulled apart into channels by ``saturation``."""
    level = dice.uniform(low, high)
    channels = [level + saturation * dice.uniform(-1, 1) for _ in range(3)]
    r, g, b = (min(1.0, max(0.02, c)) for c in channels)
    return (r, g, b)


def draw_warm(dice: Dice) -> Vector:
    """Draw a colour of wood, skin, clay or cardboard: red above green above blue."""
    red = dice.uniform(0.2, 0.95)
    green = red * dice.uniform(0.55, 0.95)
    return (red, green, green * dice.uniform(0.35, 0.95))


def draw_material(dice: Dice, patterns: tuple[str, ...] = PATTERNS) -> Material:
    """Draw a material for a surface seen from about a metre."""
    pattern = dice.pick(patterns)
    warm = dice.chance(0.5) or pattern == "wood"
    first = (
        draw_warm(dice)
        if warm
        else draw_colour(dice, 0.9 * dice.uniform(0, 1) * dice.uniform(0, 1))
    )
    second = draw_colour(dice, 0.9 * dice.uniform(0, 1) * dice.uniform(0, 1))
    if pattern == "wood" or dice.chance(0.5):
        shade = dice.uniform(0.35, 0.9)
        second = (first[0] * shade, first[1] * shade, first[2] * shade)
    return Material(
        first=first,
        second=second,
        pattern=pattern,
        frequency=dice.uniform(3, 30) if pattern != "tiles" else dice.uniform(2, 12),
        texels=dice.uniform(60, 700),
        grain=dice.uniform(0, 0.6),
        texture=dice.integer(0, _TEXTURES - 1),
        gloss=dice.uniform(0, 0.6) if dice.chance(0.5) else 0.0,
        turn=dice.heading(),
    )


@lru_cache(maxsize=_TEXTURES)
def noise_texture(index: int) -> Image:
    """Periodic noise in 0..1, float32 [256 * 256]; higher indices have finer detail."""
    raw = np.random.PCG64(1000 + index).random_raw(_SIZE * _SIZE * 2)
    values = (raw >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
    persistence = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.6)[index]
    size, used, field = 4, 16, values[:16].reshape(4, 4)
    weight, total = 1.0, 1.0
    while size < _SIZE:
        field = _upsample(_upsample(field, 0), 1)
        size, weight = size * 2, weight * persistence
        detail = values[used : used + size * size].reshape(size, size)
        field, used, total = field + detail * weight, used + size * size, total + weight
    low, high = field.min(), field.max()
    texture: Image = ((field - low) / (high - low)).reshape(-1).astype(np.float32)
    return texture


def _upsample(field: Image, axis: int) -> Image:
    before, after = np.roll(field, 1, axis), np.roll(field, -1, axis)
    pair = np.stack((0.25 * before + 0.75 * field, 0.75 * field + 0.25 * after), axis + 1)
    shape = list(field.shape)
    shape[axis] *= 2
    return pair.reshape(shape)


def _noise(material: Material, u: Image, v: Image) -> Image:
    column = (u * material.texels + 65536.0).astype(np.int32) & (_SIZE - 1)
    row = (v * material.texels + 65536.0).astype(np.int32) & (_SIZE - 1)
    return noise_texture(material.texture)[row * _SIZE + column]


def _wave(x: Image) -> Image:
    """Triangle wave of period one between 0 and 1."""
    wave: Image = np.abs((x - np.floor(x)) * 2.0 - 1.0)
    return wave


def mixing(material: Material, u: Image, v: Image) -> Image:
    """Share 0..1 of the second colour at surface coordinates ``u``, ``v`` (metres, [N])."""
    cosine, sine = material.turn
    u, v = cosine * u + sine * v, cosine * v - sine * u
    noise = _noise(material, u, v)
    f, pattern = material.frequency, material.pattern
    if pattern == "wood":
        slow = _noise(material, u, v * 0.125)
        return _wave(u * f + 2.0 * slow) * (0.4 + 0.6 * noise)
    if pattern == "mottled":
        return noise
    if pattern == "speckled":
        return np.clip(noise * 6.0 - 3.6, 0, 1)
    share = np.zeros_like(u)
    if pattern == "stripes":
        share = np.clip(_wave(u * f) * 6.0 - 2.5, 0, 1)
    elif pattern == "checks":
        share = (np.floor(u * f) + np.floor(v * f)).astype(np.int32) & 1
    elif pattern == "tiles":
        share = np.clip(np.maximum(_wave(u * f), _wave(v * f)) * 12.0 - 10.8, 0, 1)
    return share * (1.0 - material.grain) + noise * material.grain


def albedo(material: Material, u: Image, v: Image) -> Image:
    """Colour [3, N] in 0..1 at surface coordinates ``u``, ``v`` (metres, float32 [N])."""
    share = mixing(material, u, v)
    colour = np.empty((3, u.size), np.float32)
    for channel, (a, b) in enumerate(zip(material.first, material.second, strict=True)):
        np.multiply(share, b - a, out=colour[channel])
        colour[channel] += a
    return colour


def stick(colour: Image, patch: Patch, u: Image, v: Image) -> None:
    """Paint ``patch`` over ``colour`` [3, N] where it covers the surface."""
    x, y = u - patch.centre[0], v - patch.centre[1]
    inside = np.flatnonzero((np.abs(x) < patch.half[0]) & (np.abs(y) < patch.half[1]))
    if inside.size:
        colour[:, inside] = albedo(patch.material, x[inside], y[inside])
