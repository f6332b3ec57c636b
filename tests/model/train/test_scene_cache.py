from pathlib import Path

import numpy as np
import pytest

from m3vit.model.data.scenes import render_scene
from m3vit.model.train import scene_cache
from m3vit.model.train.scene_cache import cached_scenes


def test_cache_holds_the_scenes_of_its_seeds(tmp_path: Path) -> None:
    arrays = cached_scenes(tmp_path, range(3, 6), 32, 64, workers=1)
    for index, seed in enumerate(range(3, 6)):
        sample = render_scene(seed, 32, 64)
        np.testing.assert_array_equal(arrays["image"][index], sample.image)
        for kind in ("segmentation", "edges", "saliency"):
            np.testing.assert_array_equal(arrays[kind][index], sample.targets[kind])
        depth = sample.targets["depth"]
        np.testing.assert_allclose(arrays["depth"][index], depth, rtol=2**-10)
        normals = arrays["normals"][index] / 127
        np.testing.assert_allclose(normals, sample.targets["normals"], atol=0.5 / 127 + 1e-6)


def test_second_use_reads_instead_of_rendering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached_scenes(tmp_path, range(2), 16, 32, workers=1)

    def refuse(*args: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(scene_cache, "_fill", refuse)
    second = cached_scenes(tmp_path, range(2), 16, 32)
    np.testing.assert_array_equal(first["image"], second["image"])
    with pytest.raises(AssertionError, match="rendered again"):
        cached_scenes(tmp_path, range(1), 16, 32)


def test_another_renderer_has_another_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_scenes(tmp_path, range(1), 16, 32, workers=1)
    monkeypatch.setattr(
        scene_cache, "render_scene", lambda seed, *size: render_scene(seed + 1, *size)
    )
    cached_scenes(tmp_path, range(1), 16, 32, workers=1)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_interrupted_rendering_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scene_cache, "_fill", stop)
    with pytest.raises(KeyboardInterrupt):
        cached_scenes(tmp_path, range(2), 16, 32)
    assert not list(tmp_path.iterdir())
