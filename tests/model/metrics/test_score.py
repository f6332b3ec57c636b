"""Scores from files equal the metrics themselves; damaged files are named."""

import json
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.cli import main
from m3vit.hw.errors import DatasetError
from m3vit.model.metrics.registry import make_metric
from m3vit.model.metrics.score import score_files

TASKS = [
    {"name": "far", "kind": "depth", "channels": 1},
    {"name": "what", "kind": "segmentation", "channels": 4},
    {"name": "parts", "kind": "parts", "channels": 3},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds predictions of three tasks and the truth of two."""
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "p.npz",
        tasks=np.array(json.dumps(TASKS)),
        far=rng.uniform(1, 9, (8, 9)).astype(np.float32),
        what=rng.integers(0, 4, (8, 9)).astype(np.uint8),
        parts=np.zeros((8, 9), np.uint8),
    )
    np.savez(
        tmp_path / "t.npz",
        depth=rng.uniform(1, 9, (8, 9)).astype(np.float32),
        segmentation=rng.integers(0, 4, (8, 9)).astype(np.uint8),
    )
    return tmp_path


def test_scores_are_the_metrics(folder: Path) -> None:
    scores = score_files(folder / "p.npz", folder / "t.npz")
    assert list(scores) == ["far", "what"]
    with np.load(folder / "p.npz") as predicted, np.load(folder / "t.npz") as truth:
        for name, kind, channels in (("far", "depth", 1), ("what", "segmentation", 4)):
            metric = make_metric(kind, channels)
            metric.update(predicted[name], truth[kind])
            assert scores[name].value == metric.value()
            assert (scores[name].metric, scores[name].unit) == (metric.name, metric.unit)


def test_verb_prints_both_forms(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(folder / "p.npz"), str(folder / "t.npz")]
    assert main(["score", *files, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert main(["score", *files]) == 0
    text = capsys.readouterr().out
    assert f"far   RMSE {values['far']['value']:.2f} m\n" in text


def test_undefined_score_is_null(folder: Path) -> None:
    np.savez(folder / "t.npz", depth=np.zeros((8, 9), np.float32))
    assert score_files(folder / "p.npz", folder / "t.npz")["far"].to_dict()["value"] is None


@pytest.mark.parametrize("name", ["p.npz", "t.npz"])
@pytest.mark.parametrize("damage", [b"", b"a poem"])
def test_damaged_file_is_named(folder: Path, name: str, damage: bytes) -> None:
    (folder / name).write_bytes(damage)
    with pytest.raises(DatasetError, match=name):
        score_files(folder / "p.npz", folder / "t.npz")


@pytest.mark.parametrize("text", ["3", "[3]", "{", '[{"name": "x"}]'])
def test_strange_task_list_is_named(folder: Path, text: str) -> None:
    np.savez(folder / "p.npz", tasks=np.array(text))
    with pytest.raises(DatasetError, match="holds no predictions"):
        score_files(folder / "p.npz", folder / "t.npz")


def test_truth_of_other_tasks_is_refused(folder: Path) -> None:
    np.savez(folder / "t.npz", edges=np.zeros((8, 9), np.uint8))
    with pytest.raises(DatasetError, match="holds no ground truth for the tasks"):
        score_files(folder / "p.npz", folder / "t.npz")


def test_folders_are_scored_as_one_set(folder: Path, tmp_path: Path) -> None:
    """A metric over a set is not the mean of the images' metrics."""
    places = [tmp_path / "predictions", tmp_path / "truth"]
    for place in places:
        place.mkdir()
    metric = make_metric("depth", 1)
    for number in range(3):
        rng = np.random.default_rng(number)
        depths = rng.uniform(1, 9, (2, 4 + number, 9)).astype(np.float32)
        tasks = np.array(json.dumps(TASKS[:1]))
        np.savez(places[0] / f"a{number}.predictions.npz", tasks=tasks, far=depths[0])
        np.savez(places[1] / f"a{number}.npz", depth=depths[1])
        metric.update(depths[0], depths[1])
    assert score_files(*places)["far"].value == metric.value()
    (places[1] / "a1.npz").unlink()
    with pytest.raises(DatasetError, match="a1.npz does not exist"):
        score_files(*places)


def test_an_empty_folder_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="none holds no NAME.predictions.npz"):
        score_files(tmp_path / "none", folder)
