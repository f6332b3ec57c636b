from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from m3vit.hw.errors import DatasetError
from m3vit.model.data.images import (
    list_images,
    read_image,
    resize,
    resize_sample,
    resize_target,
)
from m3vit.model.data.scenes import render_scene

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def test_png_comes_back_as_written(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint8 and image.flags.writeable
    assert (image == PICTURE).all()


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, PICTURE),
        (2, PICTURE[:, ::-1]),
        (3, PICTURE[::-1, ::-1]),
        (6, np.rot90(PICTURE, -1)),
        (8, np.rot90(PICTURE, 1)),
    ],
)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, turned: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=exif)
    assert (read_image(tmp_path / "a.png") == turned).all()


@pytest.mark.parametrize(
    ("array", "mode", "expected"),
    [
        (np.full((2, 3), 77, np.uint8), "L", 77),
        (np.full((2, 3), 77 * 256 + 5, np.uint16), "I;16", 77),
        (np.full((2, 3, 4), 77, np.uint8), "RGBA", 77),
    ],
)
def test_other_modes_become_rgb(
    tmp_path: Path, array: np.ndarray, mode: str, expected: int
) -> None:
    picture = Image.fromarray(array)
    assert picture.mode == mode
    picture.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (2, 3, 3) and (image == expected).all()


def test_what_is_no_image_is_said_in_one_line(tmp_path: Path) -> None:
    Image.fromarray(np.tile(PICTURE, (50, 50, 1))).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    for name, content in (
        ("text.jpg", b"not an image\n"),
        ("empty.png", b""),
        ("cut.jpg", whole[: len(whole) // 2]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match=f"{name} cannot be read") as error:
            read_image(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(DatasetError, match="gone.png does not exist"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_image(tmp_path)


def test_folder_lists_its_images_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in list_images(tmp_path)] == ["a.png", "b.JPG"]
    assert list_images(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no image"):
        list_images(tmp_path / "empty")
    with pytest.raises(DatasetError, match="does not exist"):
        list_images(tmp_path / "nowhere")


@given(height=st.integers(1, 9), width=st.integers(1, 9), level=st.integers(0, 255))
def test_resizing_keeps_flat_images(height: int, width: int, level: int) -> None:
    resized = resize(np.full((5, 7, 3), level, np.uint8), height, width)
    assert resized.shape == (height, width, 3) and (resized == level).all()


@given(height=st.integers(1, 30), width=st.integers(1, 30))
def test_nearest_pixel_is_the_one_under_the_centre(height: int, width: int) -> None:
    target = np.arange(11 * 13, dtype=np.uint8).reshape(11, 13)
    resized = resize_target(target, height, width)
    for i in range(height):
        for j in range(width):
            row, column = int((i + 0.5) * 11 / height), int((j + 0.5) * 13 / width)
            assert resized[i, j] == target[row, column]


def test_sample_keeps_its_conventions_when_resized() -> None:
    sample = resize_sample(render_scene(2, 64, 96), 40, 120)
    assert sample.image.shape == (40, 120, 3)
    normals = np.linalg.norm(sample.targets["normals"], axis=-1)
    assert np.isclose(normals, 1, atol=1e-4).sum() + (normals == 0).sum() == normals.size
    assert resize_sample(sample, 40, 120).image is sample.image
