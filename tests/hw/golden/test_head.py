from dataclasses import replace

import numpy as np

from m3vit.hw.golden.head import head
from m3vit.hw.golden.interpolate import up2i
from m3vit.hw.presets import model_preset
from m3vit.hw.quantised import Convolution
from tests.support import integer_twin
from tests.support.random_models import random_model

CONFIG = replace(
    model_preset("nano-scenes"), image_height=32, image_width=48, width=32, heads=1, head_width=16
)


def _accumulate(x: np.ndarray, layer: Convolution) -> np.ndarray:
    """Interpolate, pad with zeros, sum the windows: integers only."""
    x, gain = (up2i(x).astype(np.int64), 16) if layer.upsampled else (x, 1)
    size = layer.weight.shape[-1]
    padded = np.pad(x, [(size // 2, size // 2)] * 2 + [(0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    acc = np.einsum("hwiyx,oiyx->hwo", windows, layer.weight.astype(np.int64))
    return acc + gain * layer.bias


def test_equals_integers_computed_from_the_definition() -> None:
    model = random_model(CONFIG, 1)
    rng = np.random.default_rng(2)
    result = np.round(rng.normal(0, 800, (7, 32))).astype(np.int16)
    for layer in model.heads[:2]:
        rows = [integer_twin.layer_norm(row, layer.norm) for row in result[1:].tolist()]
        x = np.array(rows).reshape(2, 3, 32)
        for convolution in layer.convolutions[:-1]:
            wide = _accumulate(x, convolution) * convolution.factor.astype(np.int64)
            x = np.clip((wide + (1 << (convolution.shift - 1))) >> convolution.shift, 0, 255)
        last = layer.convolutions[-1]
        wide = _accumulate(x, last) * last.factor.astype(np.int64)
        expected = np.clip((wide + (1 << (last.shift - 1))) >> last.shift, -32768, 32767)
        logits = head(result, layer, (2, 3))
        assert (logits.dtype, logits.shape) == (np.int16, (len(last.weight), 16, 24))
        np.testing.assert_array_equal(logits, expected.transpose(2, 0, 1))


def test_class_token_is_dropped() -> None:
    layer = random_model(CONFIG, 3).heads[0]
    result = np.round(np.random.default_rng(4).normal(0, 800, (7, 32))).astype(np.int16)
    other = result.copy()
    other[0] = 12345
    np.testing.assert_array_equal(head(result, layer, (2, 3)), head(other, layer, (2, 3)))
