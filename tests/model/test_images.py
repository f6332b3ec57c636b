import numpy as np
import torch

from m3vit.model.images import MEAN, STD, normalise, to_tensor


def test_pixels_are_normalised_per_channel() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[1, 2] = (255, 128, 0)
    x = to_tensor(image)
    assert x.shape == (3, 2, 3) and x.dtype == torch.float32
    for c, pixel in enumerate((255, 128, 0)):
        assert abs(float(x[c, 1, 2]) - (pixel / 255 - MEAN[c]) / STD[c]) < 1e-6
        assert abs(float(x[c, 0, 0]) + MEAN[c] / STD[c]) < 1e-6


def test_one_image_equals_its_place_in_a_batch() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    batch = normalise(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert torch.equal(batch[1], to_tensor(images[1]))
