from pathlib import Path

import numpy as np
import pytest
import torch

from m3vit.hw.config import TaskKind
from m3vit.hw.errors import ConfigurationError, DatasetError
from m3vit.hw.presets import model_preset
from m3vit.model.data.scenes import SceneDataset
from m3vit.model.train.dataset_source import DatasetSource, mirrored, open_dataset
from tests.model.micro import micro_config


@pytest.mark.parametrize("kind", [k for k in TaskKind if k is not TaskKind.PARTS])
def test_images_and_targets_are_mirrored_together(kind: TaskKind) -> None:
    config = micro_config()
    samples = SceneDataset(range(6), config.image_height, config.image_width)
    images, target = DatasetSource(samples, config).batch(
        np.arange(6), kind, np.random.default_rng(3)
    )
    assert images.shape == (6, 3, 32, 48) and images.dtype == torch.uint8
    flips = 0
    for i in range(6):
        image = images[i].permute(1, 2, 0).numpy()
        truth = target[i].permute(1, 2, 0) if kind is TaskKind.NORMALS else target[i]
        whole, goal = samples[i].image, samples[i].targets[kind.value]
        if not np.array_equal(image, whole):
            whole, goal = whole[:, ::-1], mirrored(goal, kind)
            flips += 1
        np.testing.assert_array_equal(image, whole)
        np.testing.assert_array_equal(truth.numpy(), goal)
    assert 0 < flips < 6


def test_mirrored_normals_still_face_the_viewer() -> None:
    normals = np.zeros((1, 2, 3), np.float32)
    normals[0, 0] = (0.6, 0.0, 0.8)
    np.testing.assert_array_equal(
        mirrored(normals, TaskKind.NORMALS)[0, 1], np.float32([-0.6, 0, 0.8])
    )


def test_samples_are_resized_to_the_network() -> None:
    config = micro_config()
    source = DatasetSource(SceneDataset(range(2), 64, 80), config)
    images, target = source.batch(np.arange(2), TaskKind.DEPTH, np.random.default_rng(0))
    assert images.shape[-2:] == target.shape[-2:] == (32, 48)
    assert target.dtype == torch.float32


def test_unknown_data_sets_and_missing_folders_are_named(tmp_path: Path) -> None:
    config = model_preset("tiny-cityscapes")
    with pytest.raises(ConfigurationError, match="unknown data set 'coco', expected pascal, nyud"):
        open_dataset("coco", tmp_path, "train", config)
    with pytest.raises(DatasetError, match="leftImg8bit"):
        open_dataset("cityscapes", tmp_path, "train", config)
