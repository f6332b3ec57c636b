import hashlib

import numpy as np
import pytest

from m3vit.hw.errors import ConfigurationError
from m3vit.model.data.sample import Sample
from m3vit.model.data.scenes import SCENE_CLASSES, SceneDataset, render_scene
from m3vit.model.data.scenes_camera import Dice
from m3vit.model.data.scenes_cast import MAX_DEPTH
from m3vit.model.data.scenes_layout import draw_scene

SEEDS = range(40)


@pytest.fixture(scope="module")
def scenes() -> list[Sample]:
    return [render_scene(seed) for seed in SEEDS]


def _digest(sample: Sample) -> str:
    digest = hashlib.sha256(sample.image.tobytes())
    for kind in sorted(sample.targets):
        digest.update(sample.targets[kind].tobytes())
    return digest.hexdigest()


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    assert _digest(render_scene(5)) == _digest(render_scene(5))
    assert _digest(render_scene(5)) != _digest(render_scene(6))


def test_bytes_are_those_of_every_machine() -> None:
    """Recorded once; only exactly rounded operations are used, so no machine may differ."""
    digests = hashlib.sha256("".join(_digest(render_scene(s)) for s in range(20)).encode())
    assert digests.hexdigest() == "0085cbd2e06c72beb577a09c2595a97714ee8b2dd68acd26ee7d0a6498ef2848"


@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 70), (224, 224), (128, 256)])
def test_any_size_gives_all_targets(height: int, width: int) -> None:
    sample = render_scene(3, height, width)
    assert sample.image.shape == (height, width, 3)
    assert set(sample.targets) == {"segmentation", "depth", "normals", "edges", "saliency"}


def test_normals_are_unit_and_face_the_viewer_where_depth_is_valid(scenes: list[Sample]) -> None:
    for sample in scenes:
        depth, normals = sample.targets["depth"], sample.targets["normals"]
        valid = depth > 0
        assert (depth[valid] < MAX_DEPTH).all()
        assert np.isfinite(depth).all()
        length = np.linalg.norm(normals, axis=-1)
        assert np.abs(length[valid] - 1).max() < 1e-4
        assert (length[~valid] == 0).all()
        x, y = draw_scene(Dice(int(sample.name[6:])), *depth.shape).camera.rays(*depth.shape)
        away = normals[..., 0] * x + normals[..., 1] * y - normals[..., 2]
        assert away.max() < 1e-4


def test_floor_depth_and_normals_describe_one_plane(scenes: list[Sample]) -> None:
    """1 / depth is linear in the pixel on a plane, and its gradient agrees with the normal."""
    checked = 0
    for sample in scenes:
        floor = (sample.targets["segmentation"] == 1) & (sample.targets["depth"] > 0)
        normals = sample.targets["normals"][floor]
        if floor.sum() < 3000 or np.ptp(normals, axis=0).max() > 1e-4:
            continue
        rows, columns = np.nonzero(floor)
        design = np.stack([columns - 127.5, 63.5 - rows, -np.ones(rows.size)], 1).astype(float)
        inverse = 1 / sample.targets["depth"][floor].astype(np.float64)
        # normal . (X, Y, -1) / (normal . point) = 1 / depth with X = column / focal.
        best, *_ = np.linalg.lstsq(design, inverse, rcond=None)
        error = np.abs(design @ best - inverse).max()
        if error < 1e-3:  # one plane, not a table and the floor under it
            checked += 1
            mean = normals[0].astype(float)
            focal = mean[1] / mean[2] * best[2] / best[1]  # the floor always leans in y
            assert 100 < focal < 320
    assert checked >= 10


def test_every_class_appears_and_classes_bound_edges(scenes: list[Sample]) -> None:
    seen = set[int]()
    for sample in scenes:
        labels, edges = sample.targets["segmentation"], sample.targets["edges"]
        seen |= set(np.unique(labels).tolist())
        assert (edges[:, :-1][labels[:, :-1] != labels[:, 1:]] == 1).all()
        assert (edges[:-1][labels[:-1] != labels[1:]] == 1).all()
        assert edges.mean() < 0.25
    assert seen == set(range(len(SCENE_CLASSES)))


def test_salient_pixels_are_solids_and_the_largest_is_salient(scenes: list[Sample]) -> None:
    for sample in scenes:
        labels, salient = sample.targets["segmentation"], sample.targets["saliency"] == 1
        assert (labels[salient] >= 2).all()
        solids = labels >= 2
        assert salient.any() == solids.any()
        # At most 7 objects; the largest alone is at least a seventh of all solid pixels.
        assert salient.sum() * 7 >= solids.sum()


def test_pictures_vary_and_are_neither_black_nor_white(scenes: list[Sample]) -> None:
    means = np.array([sample.image.mean() for sample in scenes])
    assert (means > 15).all() and (means < 240).all()
    assert means.std() > 10
    assert min(sample.image.std() for sample in scenes) > 3


def test_dataset_is_a_sequence_of_its_seeds() -> None:
    data = SceneDataset(range(100, 110, 2), 32, 48)
    assert len(data) == 5
    assert _digest(data[1]) == _digest(render_scene(102, 32, 48))
    assert _digest(data[-1]) == _digest(render_scene(108, 32, 48))
    assert len([sample.name for sample in data]) == 5
    with pytest.raises(IndexError):
        data[5]


@pytest.mark.parametrize(("seed", "height", "width"), [(-1, 64, 64), (0, 15, 64), (0, 64, 0)])
def test_impossible_scenes_are_refused(seed: int, height: int, width: int) -> None:
    with pytest.raises(ConfigurationError, match="expected a seed"):
        render_scene(seed, height, width)
