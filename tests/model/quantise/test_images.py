"""Calibration images from the renderer and from a folder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from m3vit.hw.errors import DatasetError
from m3vit.model.quantise.images import folder_images, scene_images
from tests.model.quantise.networks import micro_config


def test_scenes_have_the_model_s_size_and_differ() -> None:
    images = scene_images(micro_config(), 3)
    assert [image.shape for image in images] == [(64, 64, 3)] * 3
    assert not np.array_equal(images[0], images[1])


def test_photographs_are_resized_in_order_of_name(tmp_path: Path) -> None:
    for number, name in enumerate(("b.png", "a.jpg", "c.bmp")):
        Image.new("RGB", (30, 20), (number * 50,) * 3).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    images = folder_images(micro_config(), tmp_path, 2)
    assert [image.shape for image in images] == [(64, 64, 3)] * 2
    assert [int(image[0, 0, 0]) for image in images] == [50, 0]


def test_damaged_photograph_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"broken\.png"):
        folder_images(micro_config(), tmp_path, 4)


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="0 images"):
        folder_images(micro_config(), tmp_path / "absent", 4)
