import numpy as np
import torch

from m3vit.hw.config import TaskKind
from m3vit.model.train.batches import draw
from tests.model.micro import micro_config
from tests.model.train.sources import random_source


def test_a_draw_follows_seed_step_and_process_alone() -> None:
    source = random_source(micro_config())
    first = draw(source, 0, 5, 0, 4)
    np.testing.assert_array_equal(first, draw(source, 0, 5, 0, 4))
    others = [draw(source, 1, 5, 0, 4), draw(source, 0, 6, 0, 4), draw(source, 0, 5, 1, 4)]
    assert all(not np.array_equal(first, other) for other in others)
    assert sorted(draw(source, 0, 0, 0, 12)) == list(range(12)), "no repetition where avoidable"


def test_batches_hold_the_images_and_their_targets() -> None:
    source = random_source(micro_config())
    indices = np.array([7, 2])
    for kind in TaskKind:
        if kind is TaskKind.PARTS:
            continue
        images, target = source.batch(indices, kind)
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
