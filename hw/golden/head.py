"""A task's head: LayerNorm, convolutions with ReLU and interpolation, logits (hw/CONTRACT.md)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3vit.hw.formats import Int8, Int16, UInt8
from m3vit.hw.golden.convolution import convolve
from m3vit.hw.golden.layernorm import layer_norm
from m3vit.hw.golden.requantise import rectify8, requantise16
from m3vit.hw.quantised import Head

Observer = Callable[[str, int, NDArray[Any]], None]
"""Called with a tensor's name, a number (block or layer, -1 for none) and its integers."""


def head(x16: Int16, layer: Head, grid: tuple[int, int], observe: Observer | None = None) -> Int16:
    """Logits Int16 [channels, h, w] of the encoder's result x16 [T, d].

    The class token is dropped.  With three interpolating layers h, w are eight times the grid.
    ``observe`` sees "norm", then "feature" of every convolution but the last, as [h, w, C].
    """
    x: Int8 | UInt8 = layer_norm(x16[1:], layer.norm).reshape(*grid, -1)
    if observe:
        observe("norm", -1, x)
    *convolutions, last = layer.convolutions
    for number, convolution in enumerate(convolutions):
        x = rectify8(convolve(x, convolution), convolution.factor, convolution.shift)
        if observe:
            observe("feature", number, x)
    logits = requantise16(convolve(x, last), last.factor, last.shift)
    return np.ascontiguousarray(logits.transpose(2, 0, 1))
