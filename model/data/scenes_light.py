"""From surfaces to an 8-bit picture: light, shadow, and the faults of a real camera."""

import numpy as np
from numpy.typing import NDArray

from m3vit.model.data.scenes_camera import Dice, Image, Vector, add_scaled, dot
from m3vit.model.data.scenes_cast import SKY, View, blocked
from m3vit.model.data.scenes_layout import Scene


def shade(
    scene: Scene,
    view: View,
    normals: tuple[Image, Image, Image],
    colour: Image,
    gloss: Image,
    shape: tuple[int, int],
) -> Image:
    """Light the surfaces: colour [3, N] before, radiance [3, N] after (float32).

    Lambert's law with one distant light, its shadow, an ambient term darkened near solids, and
    Blinn's highlight.
    """
    light = scene.camera.rotate(scene.lighting.direction)
    facing = np.maximum(dot_image(normals, light), 0)
    lit = (~blocked(scene, view, light, normals, facing > 0)).astype(np.float32).reshape(shape)
    facing *= soften(soften(lit, 0.25), 0.25).reshape(-1)
    ambient = _openness(scene, view, normals)
    glint = facing * gloss * _highlight(view, normals, light)
    out = np.empty_like(colour)
    for c in range(3):
        power, base = scene.lighting.colour[c], scene.lighting.ambient[c]
        out[c] = colour[c] * (facing * power + ambient * base) + glint * power
    _fill_sky(scene, view, shape, out)
    return out


def dot_image(a: tuple[Image, Image, Image], b: Vector) -> Image:
    """Scalar product of a field of vectors with one vector."""
    product: Image = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def _highlight(view: View, normals: tuple[Image, Image, Image], light: Vector) -> Image:
    x, y, z = view.points
    length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-6)
    hx, hy, hz = light[0] - x / length, light[1] - y / length, light[2] - z / length
    square = hx * hx + hy * hy + hz * hz + np.float32(1e-6)
    aligned = np.maximum(normals[0] * hx + normals[1] * hy + normals[2] * hz, 0)
    power: Image = aligned * aligned / square
    for _ in range(4):
        power = power * power
    return power


def _openness(scene: Scene, view: View, normals: tuple[Image, Image, Image]) -> Image:
    """Ambient occlusion by each solid's inscribed ball; 1 = open.

    A ball of radius r at distance d whose centre is seen under cosine c hides about c (r / d)^2
    of the hemisphere.
    """
    x, y, z = view.points
    up = scene.camera.rotate((0.0, 0.0, 1.0))
    open_: Image = 0.85 + 0.15 * dot_image(normals, up)
    distance = x * x + y * y + z * z
    for index, solid in enumerate(scene.solids, len(scene.planes)):
        a, b, low, high = solid.shape.bounds
        middle = add_scaled(solid.origin, solid.axes[2], (low + high) / 2)
        c = scene.camera.view(middle)
        r = min(a, b, (high - low) / 2)
        square = distance - 2.0 * dot_image(view.points, c) + dot(c, c)
        # Farther off, less than 5 % are hidden.
        rows = np.flatnonzero((square < 20 * r * r) & (view.surface != index))
        square = square[rows] + r * r * 0.2
        nx, ny, nz = (n[rows] for n in normals)
        cosine = nx * (c[0] - x[rows]) + ny * (c[1] - y[rows]) + nz * (c[2] - z[rows])
        open_[rows] *= 1.0 - np.clip(cosine * (r * r) / (square * np.sqrt(square)), 0, 0.8)
    return open_


def _fill_sky(scene: Scene, view: View, shape: tuple[int, int], out: Image) -> None:
    sky = np.flatnonzero(view.surface == SKY)
    if not sky.size:
        return
    height = 1.0 - (sky // shape[1]).astype(np.float32) / shape[0]
    lighting = scene.lighting
    for c in range(3):
        out[c, sky] = lighting.horizon[c] + (lighting.zenith[c] - lighting.horizon[c]) * height


def soften(image: Image, amount: float) -> Image:
    """Blur [..., H, W] with (amount, 1 - 2 amount, amount) along rows and columns."""
    for last in (True, False):
        share = image * np.float32(amount)
        image = image * np.float32(1 - 2 * amount)
        # Views with the blurred axis first; the picture's border is repeated.
        to, give = (a.swapaxes(0, -1) if last else np.moveaxis(a, -2, 0) for a in (image, share))
        to[1:] += give[:-1]
        to[:-1] += give[1:]
        to[0] += give[0]
        to[-1] += give[-1]
    return image


def photograph(radiance: Image, dice: Dice, seed: int) -> NDArray[np.uint8]:
    """Expose, blur, add noise and quantise radiance [3, H, W] to uint8 [H, W, 3]."""
    gain = dice.uniform(0.3, 0.62) / _brightness(radiance)
    image = soften(radiance * np.float32(gain), dice.uniform(0.08, 0.25))
    if dice.chance(0.25):
        image = soften(image, dice.uniform(0.05, 0.25))
    lift = dice.uniform(0, 0.06)
    image = np.clip(image * np.float32(1 - lift) + np.float32(lift), 0, 1)
    curve = dice.uniform(-0.3, 0.5)
    image = image * ((1 + curve) - curve * image)
    sigma = dice.uniform(0.3, 6.0) * dice.uniform(0, 1)
    image = image * np.float32(255) + _noise(image.shape, seed) * np.float32(sigma)
    pixels = np.clip(image + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(pixels, 0, -1))


def _brightness(radiance: Image) -> float:
    """Mean of a coarse subset, summed as integers, which every machine sums alike."""
    subset = np.clip(radiance[:, ::4, ::4] * np.float32(1024), 0, 4096).astype(np.int64)
    return max(0.02, int(subset.sum()) / (1024 * subset.size))


def _noise(shape: tuple[int, ...], seed: int) -> Image:
    """Noise of unit variance, the sum of two uniform bytes."""
    count = int(np.prod(shape))
    raw = np.random.PCG64(seed).random_raw((2 * count + 7) // 8)
    octets = raw.astype("<u8").view(np.uint8)
    total = octets[:count].astype(np.float32) + octets[count : 2 * count]
    return ((total - np.float32(255)) * np.float32(0.009568)).reshape(shape)
