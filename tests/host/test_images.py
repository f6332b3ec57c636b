"""Reading photographs: formats, orientation, and files that are none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from m3vit.host.images import read_image, resize_image
from m3vit.hw.errors import DatasetError


def _picture(height: int = 6, width: int = 9) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_png_is_read_exactly(tmp_path: Path) -> None:
    Image.fromarray(_picture()).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), _picture())


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(_picture())
    if mode == "I;16":
        picture = Image.fromarray(np.arange(54, dtype=np.uint16).reshape(6, 9))
    else:
        picture = picture.convert(mode)
    path = tmp_path / "a.tif"
    picture.save(path)
    read = read_image(path)
    assert read.shape == (6, 9, 3) and read.dtype == np.uint8


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned: rotate by 90 degrees clockwise
    Image.fromarray(_picture()).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(_picture(), -1))


def test_text_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not a picture")
    with pytest.raises(DatasetError, match=r"a\.jpg is no image"):
        read_image(tmp_path / "a.jpg")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.jpg does not exist"):
        read_image(tmp_path / "gone.jpg")


def test_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot read image"):
        read_image(tmp_path)


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_every_truncation_is_an_error_or_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    Image.fromarray(_picture(40, 60)).save(path)
    data = path.read_bytes()
    for length in range(0, len(data) - 20, 97):
        path.write_bytes(data[:length])
        with pytest.raises(DatasetError, match=rf"a\.{kind}"):
            read_image(path)


def test_gigantic_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(_picture(40, 60)).save(tmp_path / "a.png")
    for limit in (2000, 1000):  # pillow warns above the limit and fails above twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(DatasetError, match="too many pixels"):
            read_image(tmp_path / "a.png")


def test_resize_keeps_the_right_size() -> None:
    image = _picture(16, 32)
    assert resize_image(image, 16, 32) is image


def test_resize_averages_rather_than_drops() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resize_image(stripes, 8, 8)
    assert small.shape == (8, 8, 3)
    assert np.abs(small.astype(int) - 127).max() < 8
