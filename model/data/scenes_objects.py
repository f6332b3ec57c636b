"""What a solid is: a shape of one class, placed in the world, with a material for each face."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from m3vit.model.data.scenes_camera import Image, Vector
from m3vit.model.data.scenes_materials import Material
from m3vit.model.data.scenes_solids import Component, Ray

BACKGROUND, FLOOR, BALL, BOX, CYLINDER, CONE, CUP, PLATE = range(8)


class Shape(Protocol):
    """What the renderer asks of a solid's geometry; only hollow shapes shadow themselves."""

    hollow: ClassVar[bool]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Half extents in x and y, lowest and highest z."""

    def cast(self, origin: Ray, direction: Ray) -> Image:
        """Distance along the ray, infinite where it misses."""

    def surface(self, p: Ray) -> tuple[Ray, Component]:
        """Outward normal and face (0, 1, 2) at points on the solid."""


@dataclass(frozen=True, kw_only=True)
class Solid:
    """A shape of class ``label`` whose frame has the given world origin and unit axes."""

    label: int
    shape: Shape
    origin: Vector
    axes: tuple[Vector, Vector, Vector]
    materials: tuple[Material, Material, Material]
