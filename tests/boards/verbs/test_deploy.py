import json
from pathlib import Path

import pytest

from m3vit.boards.deploy import NEEDED
from m3vit.host.cli import main


@pytest.fixture
def built(tmp_path: Path) -> Path:
    for name in NEEDED:
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_dry_run_prints_the_commands(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "--ip", "192.0.2.1", "--build", str(built), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ssh ") and "xilinx@192.0.2.1" in lines[0]
    assert all(str(built / name) in lines[1] for name in NEEDED)
    assert "scripts/install.sh" in lines[1]
    assert lines[-1] == "then, on the board: sudo bash m3vit/install.sh"


def test_json_holds_the_commands(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--ip", "root@zcu104.local", "--build", str(built), "--dry-run", "--json"]
    assert main(["deploy", *arguments]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["target"] == "root@zcu104.local"
    assert len(values["commands"]) >= 3


@pytest.mark.parametrize("address", ["", "-oProxyCommand=x", "a b", "host;ls", "@host"])
def test_no_address_is_one_line(
    address: str, built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", f"--ip={address}", "--build", str(built)]) == 2
    said = capsys.readouterr().err
    assert "make deploy BOARD_IP=" in said and len(said.splitlines()) == 1


def test_no_bitstream_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("M3VIT_BUILD", str(tmp_path))
    assert main(["deploy", "--ip", "192.0.2.1"]) == 2
    said = capsys.readouterr().err
    assert "lacks m3vit.bit, m3vit.hwh, manifest.json" in said and len(said.splitlines()) == 1
