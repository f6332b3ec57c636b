"""The demo from end to end on a micro network: every step, then everything from the cache."""

import json
import re
from pathlib import Path

import pytest
import torch

from m3vit.host.cli import main
from m3vit.hw.errors import DeviceError
from m3vit.hw.files import write_json
from m3vit.hw.package import read_package
from m3vit.hw.records import ResultRecord
from m3vit.model.checkpoint import save_checkpoint
from m3vit.model.network import M3ViT
from tests.support.packages import MICRO
from tests.support.small_machine import SMALL

NAMES = ("photo", "scene-1000003")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random micro network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("demo") / "micro.npz"
    return save_checkpoint(path, MICRO, M3ViT(MICRO).state_dict())


_MORE = ["--images", 2, "--machine", "mini", "--rtl-machine"]


def _arguments(folder: Path, checkpoint: Path, photo: Path, rtl: str = "") -> list[str]:
    places = ["--out", folder / "demo", "--cache", folder / "cache"]
    inputs = ["--checkpoint", checkpoint, "--photo", photo, "--seed", 1000003]
    return [str(word) for word in ["demo", *places, *inputs, *_MORE, rtl]]


def test_twice(
    tmp_path: Path, checkpoint: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _arguments(tmp_path, checkpoint, photo)
    assert main(arguments) == 0
    first = capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    second = capsys.readouterr()
    _check_first(first.out, tmp_path)
    assert len(re.findall("kept from an earlier run", first.err)) == 0
    assert len(re.findall("kept from an earlier run", second.err)) == 3
    _check_json(json.loads(second.out), tmp_path)


def test_the_small_machine_in_rtl_equals_too(
    tmp_path: Path,
    checkpoint: Path,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opener = "tests.support.small_machine:open_small"
    monkeypatch.setattr("m3vit.host.driver.simulated.PLATFORM", opener)
    machine = write_json(tmp_path / "small.json", SMALL.to_dict())
    arguments = _arguments(tmp_path, checkpoint, photo, str(machine))
    assert main(arguments) == 0
    first = capsys.readouterr()
    layers = len(MICRO.task_names) * 13
    assert re.search(rf"integers of {layers} layers and 5 tasks on machine small in RTL", first.out)
    assert main([*arguments, "--json"]) == 0
    second = capsys.readouterr()
    assert len(re.findall("kept from an earlier run", second.err)) == 5
    rtl = json.loads(second.out)["rtl"]
    assert [task["equal"] for task in rtl["tasks"]] == [True] * len(MICRO.tasks)


def _check_first(text: str, folder: Path) -> None:
    for task in MICRO.task_names:
        assert len(re.findall(rf"^(photo|scene-1000003)\.png +{task} ", text, re.M)) == 2
        assert len(re.findall(rf"^{task} ", text, re.M)) == 1
    assert "compared with the evaluation layer by layer: all equal" in text
    for name in NAMES:
        assert f"wrote {folder / 'demo' / name}.overview.png" in text
        assert (folder / "demo" / f"{name}.overview.png").stat().st_size > 1000
    assert read_package(folder / "demo" / "package").config == MICRO


def _check_json(found: dict[str, object], folder: Path) -> None:
    records = found["records"]
    assert isinstance(records, list) and len(records) == 2 * len(MICRO.tasks)
    assert {ResultRecord.from_json(json.dumps(r)).model for r in records} == {"micro"}
    scores = found["scores"]
    assert isinstance(scores, dict) and set(scores) == set(MICRO.task_names)
    per_task = MICRO.tokens * (MICRO.width + 2 * MICRO.top_k)
    assert found["compared_integers"] == 2 * len(MICRO.tasks) * per_task
    assert found["package"] == str(folder / "demo" / "package")


def test_damaged_cache_is_made_again(
    tmp_path: Path, checkpoint: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _arguments(tmp_path, checkpoint, photo)
    assert main(arguments) == 0
    [package] = (tmp_path / "cache").glob("package-*")
    (package / "weights.bin").write_bytes(b"")
    [truth] = (tmp_path / "cache").glob("scene-*/*.npz")
    truth.unlink()
    capsys.readouterr()
    assert main(arguments) == 0
    assert len(re.findall("kept from an earlier run", capsys.readouterr().err)) == 1


def test_another_checkpoint_is_not_taken_for_the_kept_one(
    tmp_path: Path, checkpoint: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(tmp_path, checkpoint, photo)) == 0
    torch.manual_seed(1)
    other = save_checkpoint(tmp_path / "other.npz", MICRO, M3ViT(MICRO).state_dict())
    capsys.readouterr()
    assert main(_arguments(tmp_path, other, photo)) == 0
    assert len(re.findall("kept from an earlier run", capsys.readouterr().err)) == 1


def test_failed_step_speaks_once(
    tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.npz"
    bad.write_text("no checkpoint")
    assert main(_arguments(tmp_path, bad, photo)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "checkpoint to integers ..."
    assert len(lines) == 2 and lines[1].startswith("m3vit quantize: ")


def test_wrong_integers_end_the_demo(
    tmp_path: Path,
    checkpoint: Path,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def differ(*_: object) -> int:
        raise DeviceError("result of task edges: 1 of 9 integers differ")

    monkeypatch.setattr("m3vit.host.demo.compare_tasks", differ)
    assert main(_arguments(tmp_path, checkpoint, photo)) == 2
    assert "1 of 9 integers differ" in capsys.readouterr().err.splitlines()[-1]
