"""Colours: a palette for classes, colour maps for quantities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import Float64, UInt8

_FIRST = (
    (58, 64, 80),
    (176, 148, 116),
    (226, 74, 62),
    (66, 135, 220),
    (72, 187, 120),
    (245, 200, 66),
    (160, 98, 200),
    (80, 200, 205),
)
"""Calm tones for background and floor, strong ones for things."""

_VIRIDIS = (
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
)
_HEAT = ((12, 8, 38), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
_INK = ((255, 255, 255), (16, 16, 16))

MAPS = {"viridis": _VIRIDIS, "heat": _HEAT, "ink": _INK}
"""Anchors at equal distances, from 0 to 1; between them colours are mixed."""

GOLDEN_TURN = 0.618033988749895


def palette(classes: int) -> UInt8:
    """[classes, 3]: hand-picked colours first, then hues a golden turn apart."""
    rows = [_FIRST[c] if c < len(_FIRST) else _turned(c) for c in range(classes)]
    return np.array(rows, np.uint8)


def _turned(number: int) -> tuple[int, int, int]:
    import colorsys

    lightness = (0.45, 0.62, 0.75)[number % 3]
    red, green, blue = colorsys.hls_to_rgb(number * GOLDEN_TURN % 1, lightness, 0.6)
    return round(255 * red), round(255 * green), round(255 * blue)


def colour_map(name: str, values: NDArray[Any]) -> UInt8:
    """Colours [..., 3] of ``values`` [...], clipped to 0..1, on the map called ``name``."""
    anchors = np.array(MAPS[name], np.float64)
    index = np.clip(np.nan_to_num(values), 0, 1) * 255
    steps = np.linspace(0, len(anchors) - 1, 256)
    columns: list[Float64] = [
        np.interp(steps, np.arange(len(anchors)), anchors[:, c]) for c in range(3)
    ]
    table = np.round(np.stack(columns, axis=-1)).astype(np.uint8)
    colours: UInt8 = table[np.round(index).astype(np.uint8)]
    return colours
