"""The command line of training, on the smallest run that there is."""

import json
from pathlib import Path

import pytest

from m3vit.host.cli import main
from m3vit.hw import presets
from tests.model.micro import micro_config


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(presets, "MODELS", {"micro": micro_config(blocks=2)})
    options = "--preset micro --steps 4 --batch 2 --warmup 1 --scenes 4 --log-every 2 "
    options += f"--cache {tmp_path}/cache --out {tmp_path}/run --precision float32"
    return ["train", *options.split()]


def test_a_run_writes_its_checkpoint_log_and_state(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    written = json.loads(out)
    assert set(written) == {"checkpoint", "state", "log"}
    assert all(Path(path).is_file() for path in written.values())
    assert "step 4/4" in err and "images/s" in err
    assert main(["evaluate", "--checkpoint", written["checkpoint"], "--scenes", "2", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert [score["task"] for score in scores] == list(micro_config().task_names)


def test_stopping_and_resuming(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--stop-after", "2"]) == 0
    assert "step 2/4" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0
    assert "step 4/4" in capsys.readouterr().err
    steps = [json.loads(line)["step"] for line in (tmp_path / "run/log.jsonl").open()]
    assert steps == [2, 4]


@pytest.mark.parametrize(
    "extra, message",
    [
        (["--resume"], "there is no run to resume"),
        (["--preset", "huge"], "unknown preset 'huge'"),
        (["--optimiser", "adam"], "optimiser is 'adam', expected adamw or sgd"),
        (["--data", "nyud"], "needs --root"),
        (["--data", "coco", "--root", "."], "unknown data set 'coco'"),
    ],
)
def test_mistakes_are_one_line_and_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    assert main([*arguments, *extra]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_evaluating_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--checkpoint", "nowhere.npz"]) == 2
    assert "nowhere.npz does not exist" in capsys.readouterr().err
    assert main(["evaluate", "--checkpoint", "nowhere.npz", "--scenes", "0"]) == 2
