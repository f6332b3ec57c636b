"""From logits to predictions, against the float network's own last steps in float64."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from m3vit.host.predictions import STRIP_ROWS, dequantise, predict
from m3vit.hw.config import TaskKind
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.presets import model_preset

NANO = model_preset("nano-scenes")


def _logits(channels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(-32768, 32768, (channels, 64, 128)).astype(np.int16)
    return codes, rng.uniform(1e-4, 1e-3, channels)


def test_dequantised_maps_equal_float64() -> None:
    codes, scale = _logits(3)
    values = torch.from_numpy(codes * scale[:, None, None])[None]
    exact = F.interpolate(values, scale_factor=2, mode="bilinear", align_corners=False)[0].numpy()
    maps = dequantise(codes, scale, NANO)
    assert maps.shape == (3, 128, 256) and maps.dtype == np.float32
    assert np.abs(maps - exact).max() < 33 * 8 * 2.0**-23


def test_odd_patch_grids_are_resized_to_the_image() -> None:
    codes, scale = _logits(1)
    tall = model_preset("nano-224")
    assert dequantise(codes, scale, tall).shape == (1, 224, 224)


def test_segmentation_is_the_strongest_class() -> None:
    codes, scale = _logits(8)
    maps = dequantise(codes, scale, NANO)
    labels = predict(TaskKind.SEGMENTATION, maps, 128, 256)
    assert labels.dtype == np.uint8 and np.array_equal(labels, maps.argmax(0))


def test_normals_have_unit_length() -> None:
    codes, scale = _logits(3)
    normals = predict(TaskKind.NORMALS, dequantise(codes, scale, NANO), 100, 300)
    assert normals.shape == (100, 300, 3)
    assert np.abs(np.linalg.norm(normals.astype(np.float64), axis=-1) - 1).max() < 1e-6


def test_zero_normals_stay_finite() -> None:
    assert (predict(TaskKind.NORMALS, np.zeros((3, 4, 4), np.float32), 4, 4) == 0).all()


def test_depth_is_the_map_itself() -> None:
    maps = np.linspace(0, 9, 32, dtype=np.float32).reshape(1, 4, 8)
    assert np.array_equal(predict(TaskKind.DEPTH, maps, 4, 8), maps[0])


@pytest.mark.parametrize("kind", [TaskKind.EDGES, TaskKind.SALIENCY])
def test_probabilities_are_the_sigmoid(kind: TaskKind) -> None:
    maps = np.linspace(-200, 200, 64, dtype=np.float32).reshape(1, 8, 8)
    probability = predict(kind, maps, 8, 8)
    exact = 1 / (1 + np.exp(-maps[0].astype(np.float64)))
    assert np.abs(probability - exact).max() < 4 * 2.0**-24
    assert probability.min() >= 0 and probability.max() <= 1


@pytest.mark.parametrize("height", [1, STRIP_ROWS - 1, STRIP_ROWS, STRIP_ROWS + 1])
def test_every_height_is_covered(height: int) -> None:
    assert predict(TaskKind.PARTS, np.zeros((7, 5, 5), np.float32), height, 3).shape == (height, 3)


@pytest.mark.parametrize("kind", [TaskKind.NORMALS, TaskKind.DEPTH, TaskKind.EDGES])
def test_wrong_number_of_channels_is_refused(kind: TaskKind) -> None:
    with pytest.raises(ConfigurationError, match="has 2 channels"):
        predict(kind, np.zeros((2, 4, 4), np.float32), 4, 4)
