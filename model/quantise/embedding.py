"""Patch embedding on raw bytes: normalisation, patch bias and the byte offset folded."""

from dataclasses import replace

import numpy as np

from m3vit.hw.formats import Float64, Int16
from m3vit.hw.quantised import Linear
from m3vit.model.images import MEAN, STD
from m3vit.model.quantise.bounds import check_range
from m3vit.model.quantise.linear import affine, quantise_linear, scale_inputs
from m3vit.model.quantise.source import Source

BYTE_OFFSET = 128
"""Images are stored as byte - 128."""


def pixel_scale(patch: int) -> tuple[Float64, Float64]:
    """Scale and offset of every input of the embedding [3 * patch^2], pixels then RGB.

    Normalised pixel = scale * (code + offset) for code = byte - 128.
    """
    mean, std = np.array(MEAN) * 255.0, np.array(STD) * 255.0
    return np.tile(1 / std, patch * patch), np.tile(BYTE_OFFSET - mean, patch * patch)


def embed_patches(source: Source) -> Linear:
    """[d, 3 * patch^2] to residual codes, inputs in the order row, column, RGB."""
    weight, bias = source.weights.linear("backbone.patch_embed.proj")
    flat = weight.transpose(0, 2, 3, 1).reshape(len(bias), -1)
    scale, offset = pixel_scale(source.config.patch)
    layer = scale_inputs(affine("patch embedding", flat, bias, source.residual_unit), scale)
    return quantise_linear(replace(layer, offset=offset))


def positions(source: Source) -> Int16:
    """[T, d] at 2^-f; row 0 includes the class token.

    Raises:
        QuantisationError: a value does not fit int16.
    """
    table = source.weights["backbone.pos_embed"][0].copy()
    table[0] += source.weights["backbone.cls_token"][0, 0]
    codes = np.floor(table * 2.0**source.fraction + 0.5)
    return check_range("position table", codes, -32768, 32767).astype(np.int16)
