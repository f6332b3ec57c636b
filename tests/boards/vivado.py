"""Runs a project's scripts under tclsh with the recording stubs."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from m3vit.boards.board import load_board
from m3vit.boards.core import Core, core_of
from m3vit.boards.project import Project, write_project
from tests.boards.report_texts import write_reports

STUBS = Path(__file__).with_name("vivado_stubs.tcl")
needs_tcl = pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not on the path")

Call = list[str]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What happened."""

    code: int
    said: str
    calls: list[Call]

    def of(self, name: str) -> list[Call]:
        """Words after the name of every call of ``name``."""
        return [call[1:] for call in self.calls if call[0] == name]


def header(core: Core) -> str:
    """Verilog with the ports of ``core`` and nothing behind them."""
    lines = [f"module m3vit({', '.join(port.name for port in core.ports)});"]
    for port in core.ports:
        width = f"[{port.bits - 1}:0] " if port.bits > 1 else ""
        lines.append(f"  {'output' if port.output else 'input'} {width}{port.name};")
    return "\n".join([*lines, "endmodule", ""])


def project_of(name: str, out: Path, machine: str | None = None) -> Project:
    """The project of a board with the real ports, without the minutes of converting."""
    board = load_board(name)
    chosen = board.machine(machine)
    return write_project(board, chosen, header(core_of(chosen)), out)


def answers(project: Project) -> dict[str, str]:
    """What a tool that does as it is told says."""
    found = {
        f"CONFIG.{name}": value for name, value in project.design.instance("ps").derived.items()
    }
    found |= {"PROGRESS": "100%", "STATUS": "write_bitstream Complete!"}
    found["addressables"] = " ".join(
        f"ps/SAXIGP/{block}"
        for block in (*(item.block for item in project.design.ranges), "HP0_QSPI", "HP0_LPS_OCM")
    )
    return found


def run_build(
    project: Project, reports: Path | None = None, script: str = "source build.tcl", **changed: str
) -> Run:
    """build.tcl from end to end; ``changed`` replaces answers of the tool."""
    said = {**answers(project), **changed}
    folder = project.folder.resolve()
    calls, start = folder / "calls", folder / "run.tcl"
    start.write_text(f"source {STUBS}\n{script}\n")
    done = subprocess.run(
        ["tclsh", str(start)],
        cwd=folder,
        env={
            **os.environ,
            "STUB_CALLS": str(calls),
            "STUB_REPORTS": str(reports or write_reports(folder / "good")),
            "STUB_ANSWERS": " ".join(f"{{{key}}} {{{value}}}" for key, value in said.items()),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    recorded = [call.split("\x1f") for call in calls.read_text().split("\x1e") if call]
    return Run(code=done.returncode, said=done.stdout + done.stderr, calls=recorded)
