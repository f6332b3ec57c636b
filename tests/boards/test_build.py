"""The flow and its checks, end to end under the stubs."""

from pathlib import Path

import pytest

from m3vit.boards.board import board_names
from m3vit.boards.metadata import VENDORS, differences
from m3vit.boards.project import Project
from m3vit.boards.vivado import STEPS
from tests.boards.report_texts import BAD, spoil, write_reports
from tests.boards.vivado import needs_tcl, project_of, run_build

pytestmark = needs_tcl


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The ZCU104's, used again by every test."""
    return project_of("zcu104", tmp_path_factory.mktemp("zcu104"))


@pytest.mark.parametrize("name", board_names())
def test_a_good_build_ends_with_a_bitstream(name: str, tmp_path: Path) -> None:
    project = project_of(name, tmp_path)
    run = run_build(project)
    assert run.code == 0 and run.said == f"m3vit: done up to bitstream in {tmp_path}\n"
    assert project.bitstream.exists()
    assert differences(project.folder / "m3vit.hwh", project.reports / VENDORS) == []
    names = [call[0] for call in run.calls]
    steps = ["launch_runs", "report_utilization", "report_timing_summary", "write_bitstream"]
    assert [names.index(step) for step in steps] == sorted(names.index(step) for step in steps)
    assert [call[0] for call in run.of("launch_runs")] == ["synth_1", "impl_1"]
    assert all(call[0] == "-timeout" for call in run.of("wait_on_run"))
    part = project.design.board.platform.device
    assert [call[-1] for call in run.of("create_project")] == [part, part]


@pytest.mark.parametrize("what", BAD)
def test_a_bad_report_ends_the_build_without_a_bitstream(
    project: Project, what: str, tmp_path: Path
) -> None:
    reports = write_reports(tmp_path / "bad")
    spoil(reports, what)
    project.bitstream.write_text("of an earlier build")
    run = run_build(project, reports)
    assert run.code == 1
    assert run.said.startswith("ERROR: m3vit: ") and what in run.said
    assert len(run.said.splitlines()) == 1
    assert not run.of("write_bitstream") and not project.bitstream.exists()


def test_too_large_a_netlist_is_not_placed(project: Project, tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "bad")
    spoil(reports, "DSPs")
    (reports / "synthesis_utilization.rpt").write_text((reports / "utilization.rpt").read_text())
    run = run_build(project, reports)
    assert run.code == 1 and "DSPs: 16 are used, the array has 1536" in run.said
    assert [call[0] for call in run.of("launch_runs")] == ["synth_1"]


@pytest.mark.parametrize("name", ["timing.rpt", "utilization.rpt"])
def test_a_report_that_is_cut_off_is_no_pass(project: Project, name: str, tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "bad")
    (reports / name).write_text((reports / name).read_text()[:700])
    run = run_build(project, reports)
    assert run.code == 1 and "cut off" in run.said


def test_another_clock_in_the_report_is_no_pass(project: Project, tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "bad")
    text = (reports / "timing.rpt").read_text()
    (reports / "timing.rpt").write_text(text.replace("299.940", "100.000"))
    run = run_build(project, reports)
    assert run.code == 1 and "clock clk_pl_0 is not at 300 MHz" in run.said


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"version": "2022.2"}, "Vivado 2024.1 or later is needed, this is 2022.2"),
        ({"board_parts": ""}, "board part xilinx.com:zcu104:part0:1.1 are not installed"),
        ({"PROGRESS": "50%", "STATUS": "synth_design ERROR"}, "synth_1 ended at 50% (synth_design"),
    ],
)
def test_what_is_missing_is_said(project: Project, answers: dict[str, str], message: str) -> None:
    run = run_build(project, **answers)
    assert run.code == 1 and message in run.said
    assert not run.of("write_bitstream")


@pytest.mark.parametrize(
    ("last", "after", "never"),
    [
        ("core", "ipx::save_core", "create_bd_design"),
        ("design", "validate_bd_design", "launch_runs"),
        ("synthesis", "report_utilization", "report_timing_summary"),
    ],
)
def test_a_build_may_end_early(project: Project, last: str, after: str, never: str) -> None:
    run = run_build(project, script=f"set argv {last}\nsource build.tcl")
    assert run.code == 0 and run.said.startswith(f"m3vit: done up to {last} in ")
    assert run.of(after) and not run.of(never)


def test_unknown_steps_are_listed(project: Project) -> None:
    run = run_build(project, script="set argv place\nsource build.tcl")
    assert run.code == 1
    assert "no step place, steps are core, design, synthesis, bitstream" in run.said
    assert STEPS == ("core", "design", "synthesis", "bitstream")


@pytest.mark.parametrize("version", ["2024.1", "2024.1.2", "2025.2"])
def test_later_versions_are_let_through(project: Project, version: str) -> None:
    assert run_build(project, version=version).code == 0


@pytest.mark.parametrize("name", board_names())
def test_constraints_are_commands_on_the_clock(name: str, tmp_path: Path) -> None:
    project = project_of(name, tmp_path)
    run = run_build(project, script="source constraints.xdc")
    assert run.code == 0, run.said
    assert ["clk_pl_0"] in run.of("get_clocks")
    assert {call[0] for call in run.of("set_property")} >= {"BITSTREAM.GENERAL.COMPRESS"}


def test_the_stubs_know_no_other_commands(project: Project) -> None:
    run = run_build(project, script="asign_bd_address -force")
    assert run.code == 1 and "invalid command name" in run.said
