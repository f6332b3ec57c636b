"""Legends: what the colours of a prediction mean, as a strip of given width."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from m3vit.host.pictures.classes import class_names
from m3vit.host.pictures.colours import colour_map, palette
from m3vit.host.pictures.paint import MAP_OF, Limits
from m3vit.hw.config import TaskConfig, TaskKind

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

INK, PAPER, GREY = (32, 34, 38), (255, 255, 255), (110, 114, 120)
TEXT = 13
LINE = 20
GAP = 8
BAR = 90


def font(size: int = TEXT) -> Any:
    """The font that comes with pillow."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def legend(task: TaskConfig, values: NDArray[Any], limits: Limits, width: int) -> "Picture":
    """The strip for ``task``; of classes only those in ``values``, most frequent first."""
    if task.kind in (TaskKind.SEGMENTATION, TaskKind.PARTS):
        return _classes(task, values, width)
    if task.kind is TaskKind.NORMALS:
        return _axes(width)
    if task.kind is TaskKind.DEPTH:
        return _bar(task, f"{limits[1]:.1f} m away", f"{limits[0]:.1f} m", width)
    return _bar(task, "no", "yes", width)


def _strip(width: int, lines: int) -> tuple["Picture", "ImageDraw"]:
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (width, lines * LINE + 4), PAPER)
    return strip, ImageDraw.Draw(strip)


def _swatches(entries: list[tuple[str, tuple[int, ...]]], width: int) -> "Picture":
    """Coloured squares with names, as many to a line as fit."""
    face = font()
    placed, x, line = [], 0, 0
    for name, colour in entries:
        step = 16 + round(face.getlength(name)) + GAP
        if x and x + step - GAP > width:
            x, line = 0, line + 1
        placed.append((x, line * LINE + 4, name, colour))
        x += step
    strip, draw = _strip(width, line + 1)
    for left, top, name, colour in placed:
        draw.rectangle((left, top + 1, left + 11, top + 12), fill=colour)
        draw.text((left + 16, top - 1), name, fill=INK, font=face)
    return strip


def _classes(task: TaskConfig, values: NDArray[Any], width: int) -> "Picture":
    counts = np.bincount(values.reshape(-1), minlength=task.channels)[: task.channels]
    names, colours = class_names(task), palette(task.channels)
    present = [int(c) for c in np.argsort(-counts, kind="stable") if counts[c]]
    return _swatches([(names[c], tuple(map(int, colours[c]))) for c in present], width)


def _axes(width: int) -> "Picture":
    meaning = {"right": (255, 127, 127), "up": (127, 255, 127), "to the viewer": (127, 127, 255)}
    return _swatches(list(meaning.items()), width)


def _bar(task: TaskConfig, low: str, high: str, width: int) -> "Picture":
    from PIL import Image

    face = font()
    strip, draw = _strip(width, 1)
    ramp = colour_map(MAP_OF[task.kind], np.linspace(0, 1, BAR)[None].repeat(11, axis=0))
    start = round(face.getlength(low)) + GAP
    draw.text((0, 3), low, fill=INK, font=face)
    strip.paste(Image.fromarray(ramp), (start, 5))
    draw.rectangle((start - 1, 4, start + BAR, 16), outline=GREY)
    draw.text((start + BAR + GAP, 3), high, fill=INK, font=face)
    return strip
