"""Names of the classes that segmentation and parts predict, for legends."""

from collections.abc import Mapping
from types import MappingProxyType

from m3vit.hw.config import TaskConfig, TaskKind

_SCENES = "background floor ball box cylinder cone cup plate"
_PASCAL = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow dining-table dog horse "
    "motorbike person potted-plant sheep sofa train tv-monitor"
)
_CITYSCAPES = (
    "road sidewalk building wall fence pole traffic-light traffic-sign vegetation terrain sky "
    "person rider car truck bus train motorcycle bicycle"
)
_NYUD = (
    "wall floor cabinet bed chair sofa table door window bookshelf picture counter blinds desk "
    "shelves curtain dresser pillow mirror floor-mat clothes ceiling books refrigerator "
    "television paper towel shower-curtain box whiteboard person night-stand toilet sink lamp "
    "bathtub bag other-structure other-furniture other-prop"
)
_PARTS = "background head torso upper-arms lower-arms upper-legs lower-legs"

_NAMES: Mapping[tuple[TaskKind, int], str] = MappingProxyType(
    {
        (TaskKind.SEGMENTATION, 8): _SCENES,
        (TaskKind.SEGMENTATION, 21): _PASCAL,
        (TaskKind.SEGMENTATION, 19): _CITYSCAPES,
        (TaskKind.SEGMENTATION, 40): _NYUD,
        (TaskKind.PARTS, 7): _PARTS,
    }
)


def class_names(task: TaskConfig) -> tuple[str, ...]:
    """One name a channel: those of the data set with as many classes, else numbers."""
    known = _NAMES.get((task.kind, task.channels))
    return tuple(known.split()) if known else tuple(map(str, range(task.channels)))
