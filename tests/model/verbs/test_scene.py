"""``m3vit scene`` writes the renderer's bytes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from m3vit.host.cli import main
from m3vit.model.data.scenes import render_scene


def test_files_are_the_rendered_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--seed", "3", "--height", "32", "--width", "48", "--out", str(tmp_path)]
    assert main(["scene", *arguments, "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    scene = render_scene(3, 32, 48)
    with Image.open(written["image"]) as picture:
        assert np.array_equal(np.asarray(picture), scene.image)
    with np.load(written["truth"]) as truth:
        assert set(truth.files) == set(scene.targets)
        for kind, target in scene.targets.items():
            assert np.array_equal(truth[kind], target) and truth[kind].dtype == target.dtype


def test_text_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scene", "--seed", "3", "--out", str(tmp_path)]) == 0
    expected = [f"wrote {tmp_path / 'scene-3'}.{end}" for end in ("png", "npz")]
    assert capsys.readouterr().out.splitlines() == expected
