"""Rendered scenes with exact ground truth, made from a seed, for training without a data set.

A floor or table, perhaps walls, and up to about ten solids on it under one light, seen by a camera
between almost level and almost from above, with random colours, patterns and camera faults.

Saliency is learnable by a stated rule: the object (a solid or a stack of them) with the most
visible pixels is salient, and so is every object with at least half as many.  Edges are the last
pixels before another surface, going right or down: outlines of solids and walls, and the creases
between a solid's faces.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.errors import ConfigurationError
from m3vit.model.data.sample import Sample
from m3vit.model.data.scenes_camera import Dice, Image
from m3vit.model.data.scenes_cast import MAX_DEPTH, SKY, Pose, View, see
from m3vit.model.data.scenes_layout import Plane, Scene, draw_scene
from m3vit.model.data.scenes_light import photograph, shade
from m3vit.model.data.scenes_materials import albedo, stick
from m3vit.model.data.scenes_objects import BACKGROUND, Solid

SCENE_CLASSES = ("background", "floor", "ball", "box", "cylinder", "cone", "cup", "plate")
"""Names of the segmentation classes; walls and sky are background."""

SALIENT_SHARE = 0.5
"""Visible size, relative to the largest object, from which an object is salient."""


@dataclass(frozen=True, kw_only=True)
class _Layers:
    """What the surfaces contribute to each of the N pixels."""

    colour: Image
    gloss: Image
    normals: tuple[Image, Image, Image]
    face: NDArray[np.uint8]


def render_scene(seed: int, height: int = 128, width: int = 256) -> Sample:
    """Render scene ``seed``; the same seed gives the same bytes on every machine.

    Returns:
        Image uint8 [height, width, 3] and the targets segmentation, depth (metres, 0 beyond
        10 m), normals, edges and saliency, see `m3vit.model.data.sample`.

    Raises:
        ConfigurationError: the seed is negative or the image has less than 16 pixels a side.
    """
    if seed < 0 or height < 16 or width < 16:
        raise ConfigurationError(
            f"scene {seed} of {height} x {width} pixels, expected a seed of at least 0 and "
            "at least 16 pixels a side"
        )
    dice = Dice(seed)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scene = draw_scene(dice, height, width)
        view = see(scene, height, width)
        layers = _paint(scene, view)
        radiance = shade(scene, view, layers.normals, layers.colour, layers.gloss, (height, width))
    image = photograph(radiance.reshape(3, height, width), dice, seed)
    return Sample(
        name=f"scene-{seed}", image=image, targets=_targets(scene, view, layers, height, width)
    )


def _paint(scene: Scene, view: View) -> _Layers:
    count = view.depth.size
    layers = _Layers(
        colour=np.zeros((3, count), np.float32),
        gloss=np.zeros(count, np.float32),
        normals=tuple(np.zeros((3, count), np.float32)),
        face=np.full(count, SKY, np.uint8),
    )
    for index, plane in enumerate(scene.planes):
        _paint_plane(scene, view, layers, plane, index)
    for index, solid in enumerate(scene.solids, len(scene.planes)):
        _paint_solid(scene, view, layers, solid, index)
    return layers


def _paint_plane(scene: Scene, view: View, layers: _Layers, plane: Plane, index: int) -> None:
    seen = np.flatnonzero(view.surface == index)
    x, y, z = (p[seen] for p in view.points)
    u, v = (
        a[0] * x + a[1] * y + (a[2] * z + start)
        for a, start in (
            (scene.camera.rotate(axis), sum(map(float.__mul__, axis, scene.camera.position)))
            for axis in (plane.u, plane.v)
        )
    )
    colour = albedo(plane.material, u, v)
    for patch in plane.patches:
        stick(colour, patch, u, v)
    layers.colour[:, seen] = colour
    layers.gloss[seen] = plane.material.gloss
    layers.face[seen] = 3 * index
    for field, value in zip(layers.normals, scene.camera.rotate(plane.normal), strict=True):
        field[seen] = value


def _paint_solid(scene: Scene, view: View, layers: _Layers, solid: Solid, index: int) -> None:
    seen = np.flatnonzero(view.surface == index)
    pose = Pose.of(solid, scene.camera)
    x, y, z = (p[seen] - c for p, c in zip(view.points, pose.origin, strict=True))
    local = tuple(a[0] * x + a[1] * y + a[2] * z for a in pose.axes)
    (n0, n1, n2), face = solid.shape.surface((local[0], local[1], local[2]))
    eye = pose.enter((0.0, 0.0, 0.0))
    away = n0 * (local[0] - eye[0]) + n1 * (local[1] - eye[1]) + n2 * (local[2] - eye[2])
    # Rays that slip through the seam between two faces see one from behind: turn those over.
    scale = np.where(away > 0, np.float32(-1), np.float32(1)) / np.sqrt(n0 * n0 + n1 * n1 + n2 * n2)
    for c, field in enumerate(layers.normals):
        field[seen] = (n0 * pose.axes[0][c] + n1 * pose.axes[1][c] + n2 * pose.axes[2][c]) * scale
    u, v = local[0] + 0.7 * local[1], local[2] + 0.4 * local[1]
    colour = albedo(solid.materials[0], u, v)
    for number, material in enumerate(solid.materials):
        if material is not solid.materials[0]:
            part = np.flatnonzero(face == number)
            colour[:, part] = albedo(material, u[part], v[part])
    layers.colour[:, seen] = colour
    layers.gloss[seen] = solid.materials[0].gloss
    layers.face[seen] = np.uint8(3 * index) + face


def _targets(
    scene: Scene, view: View, layers: _Layers, height: int, width: int
) -> dict[str, NDArray[np.generic]]:
    labels = np.full(256, BACKGROUND, np.uint8)
    labels[: len(scene.planes)] = [plane.label for plane in scene.planes]
    solids = slice(len(scene.planes), len(scene.planes) + len(scene.solids))
    labels[solids] = [solid.label for solid in scene.solids]
    salient = np.zeros(256, np.uint8)
    salient[solids] = _is_salient(np.bincount(view.surface, minlength=256)[solids], scene.objects)
    near = view.depth < MAX_DEPTH
    normals = np.stack([n * near for n in layers.normals], axis=-1)
    return {
        "segmentation": labels[view.surface].reshape(height, width),
        "depth": (view.depth * near).reshape(height, width),
        "normals": normals.reshape(height, width, 3),
        "edges": _edges(layers.face.reshape(height, width)),
        "saliency": salient[view.surface].reshape(height, width),
    }


def _is_salient(pixels: NDArray[np.intp], objects: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether each solid belongs to a salient object, given its visible ``pixels``."""
    members = np.array(objects, np.intp)
    sizes = np.zeros(len(objects) + 1, np.intp)
    np.add.at(sizes, members, pixels)
    salient: NDArray[np.bool_] = (sizes > 0) & (sizes >= SALIENT_SHARE * sizes.max())
    return salient[members]


def _edges(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    edges = np.zeros(face.shape, np.uint8)
    edges[:, :-1] |= face[:, :-1] != face[:, 1:]
    edges[:-1] |= face[:-1] != face[1:]
    return edges


@dataclass(frozen=True)
class SceneDataset:
    """Scenes of a range of seeds as a sequence of samples."""

    seeds: range
    height: int = 128
    width: int = 256

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, index: int) -> Sample:
        return render_scene(self.seeds[index], self.height, self.width)
