"""``m3vit verify`` by its output and exit code."""

import json
from pathlib import Path

import pytest

from m3vit.host.cli import main
from tests.host.conftest import Micro


def test_reference_equals_itself(
    micro: Micro, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(micro[1].path)
    assert main(["verify", path, "--device", "reference", "--image", str(photo)]) == 0
    out = capsys.readouterr().out
    assert "block 1, plan" in out and "integers equal to the reference" in out


def test_json_names_every_task(micro: Micro, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(micro[1].path)
    assert main(["verify", path, "--device", "reference", "--task", "all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["task"] for one in found["tasks"]] == list(micro[1].config.task_names)
    assert all(one["equal"] for one in found["tasks"])


def test_unknown_task_is_one_line(micro: Micro, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(micro[1].path), "--task", "sleep", "--device", "reference"]) == 2
    assert "sleep" in capsys.readouterr().err
