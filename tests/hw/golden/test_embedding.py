import numpy as np
import pytest

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.golden.embedding import embed, patches
from m3vit.hw.golden.linear import linear18
from tests.support import integer_twin
from tests.support.random_models import Spread, random_linear


@pytest.mark.parametrize("shape", [(16, 16), (32, 48), (48, 16)])
def test_patches_equal_python_integers(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    tiles = patches(image, 16)
    assert tiles.dtype == np.int8
    assert tiles.tolist() == integer_twin.patches(image, 16)


def test_byte_extremes() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 1] = (255, 128, 127)
    assert patches(image, 2).tolist() == [[-128] * 3 + [127, 0, -1] + [-128] * 6]


def test_a_strided_image_is_read_as_it_looks() -> None:
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    np.testing.assert_array_equal(patches(image[:, ::-1], 16), patches(image[:, ::-1].copy(), 16))


def test_embedding_adds_to_every_token_but_the_first() -> None:
    rng = np.random.default_rng(2)
    layer = random_linear(rng, (32, 48), Spread(deviation=70), Spread(deviation=500))
    position = rng.integers(-2000, 2000, (5, 32)).astype(np.int16)
    tiles = rng.integers(-128, 128, (4, 48)).astype(np.int8)
    x18, saturations = embed(tiles, layer, position)
    assert saturations == 0
    expected = 4 * position.astype(np.int64)
    expected[1:] += linear18(tiles, layer)
    np.testing.assert_array_equal(x18, expected)


def test_embedding_counts_saturations() -> None:
    layer = random_linear(np.random.default_rng(3), (32, 48), Spread(), Spread(deviation=1e6))
    position = np.full((3, 32), 32767, np.int16)
    x18, saturations = embed(np.full((2, 48), 100, np.int8), layer, position)
    assert saturations > 0
    assert x18.max() == 131071
    assert np.all(x18[0] == 131068)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((16, 16), np.uint8),
        np.zeros((16, 16, 4), np.uint8),
        np.zeros((16, 16, 3), np.float32),
        np.zeros((16, 24, 3), np.uint8),
    ],
)
def test_unfit_images_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ConfigurationError, match="image is"):
        patches(image, 16)
