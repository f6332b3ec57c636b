"""``m3vit validate`` from the command line: exit codes, metrics over the set, JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.cli import main
from m3vit.host.devices import table
from tests.host.conftest import Micro
from tests.support.packages import MICRO

SEEDS = (5, 6)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rendered scenes with their ground truth."""
    folder = tmp_path_factory.mktemp("scenes")
    for seed in SEEDS:
        size = ("--height", "32", "--width", "64")
        assert main(["scene", "--seed", str(seed), *size, "--out", str(folder)]) == 0
    return folder


def _arguments(micro: Micro, folder: Path, *more: object) -> list[str]:
    return ["validate", *map(str, (folder, "--package", micro[1].path, *more))]


def test_metrics_are_those_of_score_over_the_set(
    micro: Micro, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(micro, scenes, "--json", "--out", tmp_path)) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["nok"]) == (3 * len(MICRO.tasks), 0)
    assert set(found["phases_ms"]["run"]) == {"median", "least", "most"}
    assert main(["score", str(tmp_path), str(scenes), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found["scores"]
    assert list(found["scores"]) == list(MICRO.task_names)


def test_a_wrong_device_exits_with_one(
    micro: Micro,
    scenes: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.host.validation.faulty import FaultyDevice

    monkeypatch.setattr(FaultyDevice, "wrong", frozenset({0}))
    opener = "tests.host.validation.faulty:FaultyDevice"
    monkeypatch.setattr(table, "DEVICES", {**table.DEVICES, "faulty": opener})
    arguments = _arguments(micro, scenes, "--device", "faulty", "--task", "depth")
    assert main(arguments) == 1
    text = capsys.readouterr().out
    assert "depth NOK (result of task depth: 1 of" in text and "2 OK, 1 NOK" in text


def test_damaged_truth_is_named_and_the_rest_is_scored(
    micro: Micro, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "scene-5.npz", depth=np.ones((32, 64), np.float32))
    (tmp_path / "scene-6.npz").write_text("a poem")
    assert main(_arguments(micro, scenes, "--truth", tmp_path, "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["unreadable_truth"]) == ["scene-6.png"]
    assert list(found["scores"]) == ["depth"]


def test_photographs_have_no_metric(
    micro: Micro, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(micro, photo.parent, "--task", "edges")) == 0
    assert "no metrics: no image has ground truth" in capsys.readouterr().out


def test_truth_for_none_of_the_images_is_one_line(
    micro: Micro, photo: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(micro, photo.parent, "--truth", scenes)) == 2
    assert "holds no NAME.npz for any image" in capsys.readouterr().err
