import numpy as np
import torch

from m3vit.hw.config import TaskKind
from m3vit.model.train.batches import draw
from tests.model.micro import micro_config
from tests.model.train.sources import random_source


def test_a_draw_follows_its_generator_alone() -> None:
    source = random_source(micro_config())
    first = draw(source, np.random.default_rng((0, 5)), 4)
    np.testing.assert_array_equal(first, draw(source, np.random.default_rng((0, 5)), 4))
    assert not np.array_equal(first, draw(source, np.random.default_rng((0, 6)), 4))
    every = draw(source, np.random.default_rng(0), 12)
    assert sorted(every) == list(range(12)), "no repetition where avoidable"
    assert len(draw(source, np.random.default_rng(0), 20)) == 20


def test_batches_hold_the_images_and_their_targets() -> None:
    source = random_source(micro_config())
    indices = np.array([7, 2])
    for kind in TaskKind:
        if kind is TaskKind.PARTS:
            continue
        images, target = source.batch(indices, kind, np.random.default_rng(0))
        assert images.shape == (2, 3, 32, 48) and images.dtype == torch.uint8
        stored = source.arrays[kind.value][np.sort(indices)]
        np.testing.assert_array_equal(images[1].permute(1, 2, 0), source.arrays["image"][7])
        if kind is TaskKind.NORMALS:
            assert target.shape == (2, 3, 32, 48)
            np.testing.assert_allclose(target.permute(0, 2, 3, 1) * 127, stored, atol=1e-5)
            lengths = target.norm(dim=1)
            torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=0, atol=0.02)
        else:
            np.testing.assert_array_equal(target, stored.astype(target.numpy().dtype))
