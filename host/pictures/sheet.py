"""Pictures for people: one task with its legend, and one sheet with every task of an image."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from m3vit.host.pictures.legend import GAP, INK, LINE, PAPER, font, legend
from m3vit.host.pictures.paint import Limits, depth_limits, paint
from m3vit.hw.config import TaskConfig
from m3vit.hw.formats import UInt8

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

TILE = 384
"""Width of a tile on the sheet."""
COLUMNS = 3
MARGIN = 12
TITLE = 15
FRAME = (190, 192, 196)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One task's prediction with, where known, its ground truth."""

    task: TaskConfig
    values: NDArray[Any]
    truth: NDArray[Any] | None = None

    @property
    def limits(self) -> Limits:
        """Range of depths shown, the same for prediction and truth."""
        return depth_limits(self.seen)

    @property
    def seen(self) -> NDArray[Any]:
        """All values shown, of prediction and truth."""
        parts = [self.values] if self.truth is None else [self.values, self.truth]
        return np.concatenate([part.reshape(-1) for part in parts])


def png(picture: "Picture") -> bytes:
    """``picture`` as a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def task_picture(shown: Shown) -> "Picture":
    """The prediction at the photograph's size, its legend below."""
    from PIL import Image

    colours = Image.fromarray(paint(shown.task, shown.values, shown.limits))
    return _stack([colours, legend(shown.task, shown.values, shown.limits, colours.width)])


def sheet(photo: UInt8, shown: Sequence[Shown], title: str) -> "Picture":
    """The photograph and every task's prediction, above its ground truth where that is known."""
    tiles = [_stack([_line(title), _fit(photo)])]
    for entry in shown:
        caption, parts = entry.task.name, [_painted(entry, entry.values)]
        if entry.truth is not None:
            caption += ": predicted, below it the truth"
            parts.append(_painted(entry, entry.truth))
        strip = legend(entry.task, entry.seen, entry.limits, TILE)
        tiles.append(_stack([_line(caption), *parts, strip]))
    return _grid(tiles, min(COLUMNS, len(tiles)))


def _painted(entry: Shown, values: NDArray[Any]) -> "Picture":
    return _fit(paint(entry.task, values, entry.limits))


def _fit(colours: UInt8) -> "Picture":
    from PIL import Image, ImageDraw

    height = max(1, round(colours.shape[0] * TILE / colours.shape[1]))
    tile = Image.fromarray(colours).resize((TILE, height), Image.Resampling.LANCZOS)
    ImageDraw.Draw(tile).rectangle((0, 0, TILE - 1, height - 1), outline=FRAME)
    return tile


def _line(text: str) -> "Picture":
    from PIL import Image, ImageDraw

    line = Image.new("RGB", (TILE, LINE), PAPER)
    ImageDraw.Draw(line).text((0, 0), text, fill=INK, font=font(TITLE))
    return line


def _stack(parts: Sequence["Picture"]) -> "Picture":
    """One below the other, with a small gap."""
    from PIL import Image

    height = sum(part.height for part in parts) + GAP // 2 * (len(parts) - 1)
    whole = Image.new("RGB", (max(part.width for part in parts), height), PAPER)
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height + GAP // 2
    return whole


def _grid(tiles: Sequence["Picture"], columns: int) -> "Picture":
    from PIL import Image

    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in row) for row in rows]
    width = columns * (TILE + MARGIN) + MARGIN
    whole = Image.new("RGB", (width, sum(heights) + MARGIN * (len(rows) + 1)), PAPER)
    top = MARGIN
    for row, height in zip(rows, heights, strict=True):
        for number, tile in enumerate(row):
            whole.paste(tile, (MARGIN + number * (TILE + MARGIN), top))
        top += height + MARGIN
    return whole
