"""``m3vit quantize`` from the command line: what it writes, and what it refuses."""

import json
from pathlib import Path

import pytest

from m3vit.host.cli import main
from m3vit.hw.quantised_files import load_quantised, quantised_digest
from m3vit.model.checkpoint import save_checkpoint
from tests.model.quantise.networks import micro_config, rough_network

FEW = ["--images", "2", "--correct-on", "1", "--eval-scenes", "1"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = micro_config(blocks=2)
    path = tmp_path_factory.mktemp("checkpoint") / "micro.npz"
    return save_checkpoint(path, config, rough_network(config).state_dict())


def test_model_and_record_are_written(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "quantised.npz"
    assert main(["quantize", "--checkpoint", str(checkpoint), "--out", str(out), *FEW]) == 0
    shown = capsys.readouterr()
    record = json.loads((tmp_path / "quantised.json").read_text())
    assert record["quantised_digest"] == quantised_digest(load_quantised(out))
    assert str(out) in shown.out and "compared 1/1 scenes" in shown.err
    assert {path.name for path in tmp_path.iterdir()} == {"quantised.npz", "quantised.json"}


def test_json_is_the_record(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--checkpoint", str(checkpoint), "--out", str(tmp_path / "q.npz"), "--json"]
    assert main(["quantize", *arguments, *FEW]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "q.json").read_text())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--images", "0"], "--images is 0"),
        (["--eval-scenes", "-1"], "--eval-scenes is -1"),
        (["--checkpoint", "absent.npz"], "absent.npz"),
        (["--out", "quantised.bin"], "ends in .npz"),
        (["--preset", "giant"], "unknown preset 'giant'"),
        (["--calibrate-on", "absent"], "holds 0 images"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: list[str],
    message: str,
) -> None:
    out = tmp_path / "q.npz"
    arguments = ["--checkpoint", str(checkpoint), "--out", str(out), *FEW, *changes]
    assert main(["quantize", *arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and message in lines[0]
    assert not list(tmp_path.iterdir())
