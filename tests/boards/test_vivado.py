"""The tool as a program: a stand-in on the path that runs the scripts under tclsh."""

import time
from pathlib import Path

import pytest

from m3vit.boards import vivado
from m3vit.boards.board import load_board
from m3vit.boards.metadata import VENDORS, differences
from m3vit.boards.project import Project, verilog_of, write_project
from m3vit.boards.vivado import build, require_vivado
from m3vit.hw.errors import ToolError
from tests.boards.vivado import project_of


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return project_of("zcu104", tmp_path_factory.mktemp("zcu104"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def _tool(folder: Path, script: str) -> None:
    path = folder / "vivado"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_absence_is_one_line_with_the_version_and_the_way_on(project: Project) -> None:
    with pytest.raises(ToolError) as caught:
        require_vivado(project)
    assert str(caught.value) == (
        "Vivado 2024.1 or later is not on PATH; the complete project is in "
        f"{project.folder}, run `vivado -mode batch -source build.tcl` there"
    )


@pytest.mark.parametrize(
    ("said", "version"),
    [("vivado v2024.1 (64-bit)", "2024.1"), ("Vivado v2025.2 (64-bit)", "2025.2")],
)
def test_versions_are_read(project: Project, home: Path, said: str, version: str) -> None:
    _tool(home, f"echo '{said}'")
    assert require_vivado(project) == version


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo vivado v2022.2", "2024.1 or later is needed, this is 2022.2"),
        ("echo hello", "names no version"),
        ("exec sleep 30", "does not answer"),
    ],
)
def test_others_are_refused(
    project: Project, home: Path, script: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vivado, "_ANSWER_S", 1.0)
    _tool(home, script)
    with pytest.raises(ToolError, match=message):
        require_vivado(project)


def test_a_build_runs_in_the_project_with_its_output_in_a_file(
    project: Project, home: Path
) -> None:
    _tool(home, 'echo "$@"; pwd; touch m3vit.bit')
    build(project)
    said = (project.folder / vivado.LOG).read_text().split("\n")
    assert said[0] == "-mode batch -source build.tcl -tclargs bitstream"
    assert said[1] == str(project.folder)
    project.bitstream.unlink()


def test_a_build_that_ends_early_has_no_bitstream(project: Project, home: Path) -> None:
    _tool(home, 'echo "$@"')
    build(project, "design")
    assert "-tclargs design" in (project.folder / vivado.LOG).read_text()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'ERROR: [Common] x'; echo 'ERROR: m3vit: timing'; exit 1", "failed: timing$"),
        ("echo 'ERROR: [Synth 8-1] no licence'; exit 1", "no licence"),
        ("exit 1", "see .*vivado.out"),
        ("exit 0", "wrote no .*m3vit.bit"),
    ],
)
def test_a_failed_build_gives_its_reason(
    project: Project, home: Path, script: str, message: str
) -> None:
    _tool(home, script)
    with pytest.raises(ToolError, match=message):
        build(project)


def test_a_tool_that_hangs_is_stopped(
    project: Project,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _tool(home, "echo Phase 1 Placer; sleep 60 & echo $! > child; wait")
    monkeypatch.setattr(vivado, "TIMEOUT_MINUTES", 0)
    monkeypatch.setattr(vivado, "_SLACK_S", 1.0)
    monkeypatch.setattr(vivado, "_REPORT_S", 0.3)
    start = time.monotonic()
    with pytest.raises(ToolError, match="did not end in time"):
        build(project)
    assert time.monotonic() - start < 20
    assert "vivado: Phase 1 Placer" in capsys.readouterr().err
    assert _ended(int((project.folder / "child").read_text()))


def _ended(process: int) -> bool:
    """Whether it is gone, or dead and waits only for being reaped."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.vendor
def test_the_real_tool_accepts_core_and_block_design(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes; needs Vivado and the board's files."""
    monkeypatch.undo()
    board = load_board("zcu104")
    machine = board.machine("mini")
    real = write_project(board, machine, verilog_of(machine, ultra_ram=True), tmp_path / "real")
    require_vivado(real)
    build(real, "design")
    assert differences(real.folder / "m3vit.hwh", real.reports / VENDORS) == []
