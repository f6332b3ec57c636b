"""``m3vit compile`` and ``m3vit disasm``: what they write and print."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from m3vit.host.cli import main
from m3vit.hw.commands.fields import SPECS, Op
from m3vit.hw.commands.text import as_dict, listing
from m3vit.hw.package import read_package
from m3vit.hw.quantised_files import save_quantised
from tests.support.packages import MICRO
from tests.support.random_models import random_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a quantised model and its package."""
    path = tmp_path_factory.mktemp("compiled")
    save_quantised(path / "micro.npz", random_model(MICRO, 0))
    arguments = ["compile", path / "micro.npz", "--machine", "mini", "--out", path / "package"]
    assert main([str(argument) for argument in arguments]) == 0
    return path


def test_json_says_what_was_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(folder / "again")
    source = str(folder / "micro.npz")
    assert main(["compile", source, "--machine", "mini", "--out", out, "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    package = read_package(folder / "again")
    assert written["digest"] == package.digest == read_package(folder / "package").digest
    assert written["commands"] == len(package.commands)
    assert (written["model"], written["machine"]) == ("micro", "mini")


def test_text_says_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(folder / "third")
    assert main(["compile", str(folder / "micro.npz"), "--machine", "mini", "--out", out]) == 0
    assert capsys.readouterr().out.startswith(f"wrote {out}: micro for mini, ")


def test_too_large_for_the_machine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = replace(MICRO, name="wide", width=224, heads=7)
    save_quantised(folder / "wide.npz", random_model(wide, 0))
    arguments = ["compile", folder / "wide.npz", "--machine", "mini", "--out", folder / "no"]
    assert main([str(argument) for argument in arguments]) == 2
    assert "wide does not fit machine mini: width" in capsys.readouterr().err
    assert not (folder / "no").exists()


def test_disassembly_lists_every_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = read_package(folder / "package")
    assert main(["disasm", str(folder / "package")]) == 0
    text = capsys.readouterr().out
    assert text == f"; micro for mini, digest {package.digest[:16]}\n{listing(package.commands)}\n"
    assert main(["disasm", str(folder / "package"), "--json"]) == 0
    commands = json.loads(capsys.readouterr().out)["commands"]
    assert commands == [as_dict(command, index) for index, command in enumerate(package.commands)]


def test_reference_documents_every_operation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["disasm", "--reference"]) == 0
    text = capsys.readouterr().out
    assert main(["disasm", "--reference", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["operations"]) == {op.name for op in Op}
    for op in Op:
        assert f"{op.name} ({int(op)}): {SPECS[op].doc}" in text
        names = [entry["name"] for entry in found["operations"][op.name]["fields"]]
        assert names == [field.name for field in SPECS[op].fields]
