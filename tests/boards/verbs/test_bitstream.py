import json
from pathlib import Path

import pytest

from m3vit.boards import project as project_module
from m3vit.boards.core import core_of
from m3vit.host.cli import main
from m3vit.hw.machine import MachineConfig
from tests.boards.report_texts import spoil, write_reports
from tests.boards.vivado import header, project_of


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No minutes of converting, and no Vivado whatever this machine has."""

    def verilog(machine: MachineConfig, *, ultra_ram: bool) -> str:
        return header(core_of(machine)) + f"// ultra RAM: {ultra_ram}\n"

    monkeypatch.setattr(project_module, "verilog_of", verilog)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("M3VIT_BUILD", str(tmp_path / "build"))
    return tmp_path


@pytest.mark.parametrize(("board", "has"), [("zcu104", True), ("zcu102", False)])
def test_without_vivado_the_project_is_written_and_the_code_is_2(
    quick: Path, board: str, has: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bitstream", "--board", board]) == 2
    folder = quick / "build" / "bitstream" / board
    said = capsys.readouterr().err.splitlines()
    assert said[-2] == f"wrote {folder}"
    assert said[-1].startswith("m3vit bitstream: Vivado 2024.1 or later is not on PATH; ")
    assert f"ultra RAM: {has}" in (folder / "m3vit.v").read_text()
    assert (folder / "m3vit.hwh").exists() and (folder / "build.tcl").exists()


def test_a_configuration_has_a_folder_of_its_own(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bitstream", "--machine", "mini", "--no-run", "--json"]) == 0
    folder = Path(json.loads(capsys.readouterr().out)["folder"])
    assert folder == quick / "build" / "bitstream" / "zcu104-mini"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["machine"]["name"] == "mini"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "zcu102", "--machine", "zcu104"], "does not fit AMD ZCU102"),
        (["--board", "none"], "unknown board 'none'"),
        (["--machine", "none"], "unknown machine 'none'"),
        (["--last", "place"], "--last is 'place', expected one of core, design, synthesis"),
        (["--reports", "absent"], "manifest.json cannot be read"),
    ],
)
def test_mistakes_are_one_line(
    quick: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bitstream", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1
    assert not (quick / "build").exists()


def test_with_vivado_it_builds_checks_and_reads(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_reports(quick / "good")
    tool = quick / "vivado"
    tool.write_text(
        '#!/bin/sh\nif [ "$1" = -version ]; then echo "vivado v2024.1 (64-bit)"; exit; fi\n'
        f"mkdir -p reports && cp {good}/* reports && touch m3vit.bit\n"
    )
    tool.chmod(0o755)
    assert main(["bitstream", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["failures"] == [] and values["cells"]["DSPs"]["used"] == 1712
    assert values["record"]["device"] == "zcu104"
    written = quick / "build" / "bitstream" / "zcu104" / "reports" / "reports.json"
    assert json.loads(written.read_text()) == values


def test_reports_of_a_bad_build_are_printed_and_refused(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project_of("zcu104", quick / "project").folder
    spoil(write_reports(folder / "reports"), "setup")
    assert main(["bitstream", "--reports", str(folder / "reports")]) == 2
    said = capsys.readouterr()
    assert "299.94 MHz, worst setup slack -0.12 ns" in said.out
    assert "must not be used: worst setup slack is -0.12 ns (412 endpoints fail)" in said.err


def test_metadata_that_differ_from_vivados_are_refused(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project_of("zcu104", quick / "project").folder
    text = (folder / "m3vit.hwh").read_text()
    vendors = write_reports(folder / "reports") / "system.hwh"
    vendors.write_text(text)
    assert main(["bitstream", "--reports", str(folder / "reports")]) == 0
    vendors.write_text(text.replace("0xA0010000", "0xA0020000"))
    assert main(["bitstream", "--reports", str(folder / "reports")]) == 2
    assert "address interrupts/s_axi is 0xA0020000" in capsys.readouterr().err
