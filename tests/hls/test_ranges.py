from pathlib import Path

import numpy as np
import pytest

from m3vit.hls.from_package import gate_layer_of
from m3vit.hls.range_plot import plot_ranges
from m3vit.hls.ranges import ranges_of
from m3vit.hls.reference import expected
from m3vit.hw.errors import ConfigurationError
from tests.hls.layers import random_layer, random_residual


def test_stages_of_a_mixture_and_of_a_dense_layer() -> None:
    moe, mlp = random_layer(), random_layer(moe=False)
    image = random_residual(moe, 0)
    ranges = {entry.stage: entry for entry in ranges_of(moe, image)}
    assert (ranges["residual in"].smallest, ranges["residual in"].largest) == (
        image.min(),
        image.max(),
    )
    h = expected(moe, image)["normalised"]
    assert ranges["normalised"].limited == np.mean((h == 127) | (h == -128))
    assert all(entry.bits_used <= entry.bits for entry in ranges.values())
    dense = {entry.stage for entry in ranges_of(mlp, image)}
    assert set(ranges) - dense == {"logits", "contribution"}
    with pytest.raises(ConfigurationError, match="no experts"):
        ranges_of(gate_layer_of(moe), image)


def test_used_bits_are_those_of_twos_complement() -> None:
    layer = random_layer()
    image = np.zeros((layer.tokens, layer.width), np.int32)
    image[0, 0], image[1, 1] = -128, 127
    found = ranges_of(layer, image)[0]
    assert (found.bits_used, found.smallest, found.largest) == (8, -128, 127)
    image[1, 1] = 128
    assert ranges_of(layer, image)[0].bits_used == 9


def test_the_picture_is_written_at_once(tmp_path: Path) -> None:
    layer = random_layer()
    ranges = ranges_of(layer, random_residual(layer, 1))
    path = plot_ranges(ranges, tmp_path / "ranges.png")
    assert path.read_bytes().startswith(b"\x89PNG") and len(list(tmp_path.iterdir())) == 1
