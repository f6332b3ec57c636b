"""Logits become what metrics compare, by the same last steps as in the float head."""

import numpy as np
import torch

from m3vit.hw.config import TaskKind
from m3vit.model.quantise.float_pass import run_float
from m3vit.model.quantise.predictions import dequantised, field_of
from tests.model.quantise.networks import micro_config, rough_network, smooth_images


def test_shapes_and_meanings() -> None:
    x = torch.tensor([2.0, -1.0, 0.5]).view(1, 3, 1, 1).expand(1, 3, 4, 6)
    assert (field_of(TaskKind.SEGMENTATION, x) == 0).all()
    assert field_of(TaskKind.PARTS, x).shape == (4, 6)
    assert (field_of(TaskKind.DEPTH, x[:, :1]) == 2).all()
    assert field_of(TaskKind.NORMALS, x).shape == (4, 6, 3)
    np.testing.assert_allclose(field_of(TaskKind.EDGES, x[:, 1:2]), 1 / (1 + np.e))
    extreme = field_of(TaskKind.SALIENCY, torch.full((1, 1, 2, 2), -1e4))
    assert np.isfinite(extreme).all() and (extreme < 1e-20).all()


def test_last_steps_are_the_float_head_s() -> None:
    config = micro_config(image_height=40, image_width=60, patch=20)
    network = rough_network(config)
    exact = run_float(network, smooth_images(config, 1)[0], "classes")
    scale = np.abs(exact.logits).max((1, 2)) / 32767
    codes = np.floor(exact.logits / scale[:, None, None] + 0.5).astype(np.int16)
    found = dequantised(codes, scale, config)
    assert found.shape == exact.prediction.shape == (1, 5, 40, 60)
    assert (found - exact.prediction).abs().max() <= scale.max() * 0.6
