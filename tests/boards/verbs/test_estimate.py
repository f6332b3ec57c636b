import json

import pytest

from m3vit.host.cli import main
from m3vit.hw.machine import MACHINES
from m3vit.hw.presets import MODELS


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["estimate", "--json", *arguments]) == 0
    values: dict[str, object] = json.loads(capsys.readouterr().out)
    return values


def test_changes_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    plain = _json(capsys, "--model", "tiny-cityscapes")
    few = _json(capsys, "--model", "tiny-cityscapes", "--top-k", "2", "--expert-ratio", "2")
    paper = _json(capsys, "--model", "tiny-cityscapes-k2")
    assert few["model"] == "tiny-cityscapes-top_k2-expert_ratio2"
    assert few["cycles"] == paper["cycles"]
    assert few["macs"] == plain["macs"]
    dense = _json(capsys, "--model", "tiny-cityscapes", "--dense")
    assert dense["experts_used"] == []


def test_changes_of_the_board(capsys: pytest.CaptureFixture[str]) -> None:
    slow = _json(capsys, "--model", "tiny-cityscapes-k2", "--gbytes-per-s", "4.8")
    fast = _json(capsys, "--model", "tiny-cityscapes-k2", "--gbytes-per-s", "19.2")
    assert slow["cycles"] > 2 * fast["cycles"]  # type: ignore[operator]
    clocked = _json(capsys, "--model", "nano-scenes", "--clock-mhz", "150", "--board", "zcu102")
    assert clocked["clock_mhz"] == 150
    small = _json(capsys, "--model", "nano-scenes", "--machine", "mini")
    assert small["machine"] == "mini"


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    values = _json(capsys, "--list")
    assert values["models"] == list(MODELS)
    assert values["machines"] == list(MACHINES)
    assert values["boards"] == ["zcu102", "zcu104"]
    assert main(["estimate", "--list"]) == 0
    assert "boards: zcu102, zcu104" in capsys.readouterr().out


def test_assumptions_need_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "--assumptions"]) == 0
    assert "pass_gap_cycles" in capsys.readouterr().out


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["estimate", "--model", "nano-scenes", "--units", "--assumptions"]
    assert main([*arguments, "--no-reordering"]) == 0
    text = capsys.readouterr().out
    for word in ("fits", "requantisation", "dram_latency", "token by token"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no model given"),
        (["--model", "huge"], "unknown preset 'huge'"),
        (["--model", "nano-scenes", "--board", "vcu118"], "unknown board"),
        (["--model", "nano-scenes", "--machine", "maxi"], "unknown machine"),
        (["--model", "nano-scenes", "--top-k", "9"], "top_k is 9"),
        (["--model", "nano-scenes", "--gbytes-per-s", "0"], "--gbytes-per-s is 0"),
        (["--model", "nano-scenes", "--gbytes-per-s", "nan"], "--gbytes-per-s is nan"),
        (["--model", "nano-scenes", "--dense", "--no-reordering"], "no experts"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["estimate", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
