import json
import re
from pathlib import Path

import pytest

from m3vit.boards.board import FOLDER, board_names, load_board
from m3vit.boards.core import core_of
from m3vit.boards.project import (
    CONSTRAINTS,
    SCRIPTS,
    check_ports,
    planned,
    read_manifest,
    verilog_of,
    write_project,
)
from m3vit.boards.system import BASE_ADDRESS
from m3vit.hw.errors import ConfigurationError, ToolError
from m3vit.hw.machine import machine_preset
from m3vit.hw.registers import REGISTERS
from tests.boards.vivado import header, project_of

CORE = core_of(machine_preset("zcu104"))


@pytest.mark.parametrize("name", board_names())
def test_the_project_is_complete(name: str, tmp_path: Path) -> None:
    project = project_of(name, tmp_path / "a")
    files = {path.name for path in project.folder.iterdir()}
    told = set(re.findall(r"`([\w.]+\.\w+)`", (project.folder / "README.md").read_text()))
    assert told - {"m3vit.bit"} == files - {"README.md"}
    assert "vivado -mode batch -source build.tcl" in (project.folder / "README.md").read_text()
    again = project_of(name, tmp_path / "b")
    for path in project.folder.iterdir():
        assert path.read_bytes() == (again.folder / path.name).read_bytes()


def test_boards_share_their_scripts_and_differ_in_data(tmp_path: Path) -> None:
    first, second = (project_of(name, tmp_path / name).folder for name in ("zcu104", "zcu102"))
    for name in SCRIPTS:
        assert (first / f"{name}.tcl").read_text() == (second / f"{name}.tcl").read_text()
    assert "xczu9eg-ffvb1156-2-e" in (second / "settings.tcl").read_text()
    assert "URAM" in (first / "settings.tcl").read_text()
    assert "URAM" not in (second / "settings.tcl").read_text()


def test_nothing_of_this_machine_is_in_the_files(tmp_path: Path) -> None:
    folder = project_of("zcu104", tmp_path).folder
    text = "".join(path.read_text() for path in folder.iterdir())
    assert str(tmp_path) not in text and str(FOLDER.parent) not in text


def test_the_manifest_says_what_is_built(tmp_path: Path) -> None:
    manifest = read_manifest(project_of("zcu104", tmp_path).folder)
    machine = machine_preset("zcu104")
    assert manifest["machine_digest"] == machine.digest
    assert manifest["multipliers"] == machine.multipliers
    assert manifest["base_address"] == BASE_ADDRESS
    header_text = (tmp_path / "m3vit_registers.h").read_text()
    assert all(f"M3VIT_{register.name} " in header_text for register in REGISTERS)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_a_foreign_manifest_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ToolError, match="write the project anew"):
        read_manifest(tmp_path)


def test_the_tools_own_files_stay(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "m3vit.xpr").write_text("kept")
    project_of("zcu104", tmp_path)
    assert (tmp_path / "work" / "m3vit.xpr").read_text() == "kept"


def test_a_machine_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="does not fit AMD ZCU102: bram36 "):
        planned(load_board("zcu102"), machine_preset("zcu104"))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("  input clk;", "  input clock;", "clk, clock"),
        ("  output [47:0] m0_axi_araddr;", "  output [39:0] m0_axi_araddr;", "m0_axi_araddr"),
        ("  output interrupt;", "  input interrupt;", "interrupt"),
        ("module m3vit(", "module other(", "no module m3vit"),
    ],
)
def test_other_ports_are_refused(old: str, new: str, named: str, tmp_path: Path) -> None:
    text = header(CORE)
    check_ports(text, CORE)
    assert old in text
    board = load_board("zcu104")
    with pytest.raises(ToolError, match=named):
        write_project(board, board.machine(), text.replace(old, new), tmp_path)
    assert not list(tmp_path.iterdir())


def test_boards_of_ones_own_have_constraints(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = (FOLDER / "zcu104" / "board.toml").read_text()
    path.write_text(text.replace('"zcu104"', '"mine"', 1))
    project = project_of(str(path), tmp_path / "project")
    assert json.loads((project.folder / "manifest.json").read_text())["board"] == "mine"
    assert "clk_pl_0" in (project.folder / CONSTRAINTS).read_text()


@pytest.mark.slow
def test_the_generated_verilog_has_the_ports_of_the_core() -> None:
    machine = machine_preset("mini")
    text = verilog_of(machine, ultra_ram=True)
    check_ports(text, core_of(machine))
    assert '"ultra"' in text
    assert '"ultra"' not in verilog_of(machine, ultra_ram=False)
