"""A package made resident on a torch device: the passes that a GPU device runs."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from m3vit.hw.package import Package
from m3vit.model.gpu.float_encoder import FloatEncoder
from m3vit.model.gpu.from_package import model_of
from m3vit.model.gpu.graphs import Graphs
from m3vit.model.gpu.integer_encoder import Encoded, IntegerEncoder
from m3vit.model.gpu.weights_of_package import network_of

Pass: TypeAlias = Callable[[Tensor, int], Encoded]
"""Runs int8 patches [B, T - 1, patch elements] for a task."""


def prepare_integers(package: Package, device: torch.device) -> Pass:
    """The package's integers, recorded as a CUDA graph for every task."""
    encoder = IntegerEncoder(model_of(package), device)
    return Graphs(encoder, recordable=encoder.kernels.recordable)


def float_pass(
    checkpoint: Path | None, kind: torch.dtype
) -> Callable[[Package, torch.device], Pass]:
    """Prepares the float network that a package was made from (``checkpoint``, or a shipped one).

    Its result is rounded to the package's 16-bit format, so that heads and comparisons read it
    like any device's; routing and saturations are not reported.
    """

    def prepare(package: Package, device: torch.device) -> Pass:
        encoder = FloatEncoder(network_of(package, checkpoint), device, kind)
        unit = 2.0**package.residual_fraction

        def encode(tiles: Tensor, task: int) -> Encoded:
            features = encoder.features(images_of(tiles, package), task)
            codes = (features.float() * unit + 0.5).floor().clamp(-32768, 32767)
            lost = torch.zeros((), dtype=torch.int64, device=tiles.device)
            return Encoded(codes.to(torch.int16), lost, {})

        return Graphs(encode, recordable=encoder.kernels.recordable)

    return prepare


def images_of(tiles: Tensor, package: Package) -> Tensor:
    """uint8 [B, 3, H, W] of patches int8 [B, T - 1, patch elements]: the inverse of packing."""
    config = package.config
    rows, columns = config.grid
    pixels = (tiles.to(torch.int16) + 128).to(torch.uint8)
    cut = pixels.view(len(tiles), rows, columns, config.patch, config.patch, 3)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(
        len(tiles), 3, config.image_height, config.image_width
    )
