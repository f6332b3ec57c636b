"""The complete project for Vivado in one folder: everything but the tool's own work."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3vit.boards.block_design import block_design_tcl
from m3vit.boards.board import FOLDER, BoardConfig, board_names
from m3vit.boards.core import Core, core_of
from m3vit.boards.design import Design
from m3vit.boards.hwh import VERSION, hwh_text
from m3vit.boards.package_ip import package_tcl
from m3vit.boards.reports import LIMITS
from m3vit.boards.system import BASE_ADDRESS, clock_hz, system_design
from m3vit.boards.tcl import command, pairs
from m3vit.hw.cost.resources import resources
from m3vit.hw.errors import ConfigurationError, ToolError
from m3vit.hw.files import write_json, write_text
from m3vit.hw.machine import MachineConfig
from m3vit.hw.register_output import as_c
from m3vit.rtl.top import NAME

SCRIPTS = ("build", "checks", "package")
CONSTRAINTS = "constraints.xdc"
MANIFEST, FORMAT = "manifest.json", "m3vit-bitstream-1"
COMMAND = "vivado -mode batch -source build.tcl"
TIMEOUT_MINUTES, JOBS = 1440, 4


@dataclass(frozen=True, kw_only=True)
class Project:
    """Where a project lies and what it builds."""

    folder: Path
    design: Design

    @property
    def bitstream(self) -> Path:
        """What a build writes."""
        return self.folder / f"{NAME}.bit"

    @property
    def reports(self) -> Path:
        """Folder of the build's reports."""
        return self.folder / "reports"


def planned(board: BoardConfig, machine: MachineConfig) -> Design:
    """The block design of a machine that fits the board.

    Raises:
        ConfigurationError: it does not fit, or the board cannot carry it.
    """
    exceeded = board.exceeded(resources(machine, has_uram=board.has_uram))
    if exceeded:
        wants = ", ".join(f"{kind} {need} of {have}" for kind, (need, have) in exceeded.items())
        raise ConfigurationError(
            f"machine {machine.name} does not fit {board.title}: {wants}; leave out --machine for "
            "the board's own"
        )
    return system_design(board, machine)


def verilog_of(machine: MachineConfig, *, ultra_ram: bool) -> str:
    """The accelerator's Verilog (some minutes for a large machine).

    Where a chip has no ultra RAM, its stores are asked for in block RAM.
    """
    from m3vit.rtl.library import convert
    from m3vit.rtl.top import Top

    text = convert(Top(machine), NAME).text
    return text if ultra_ram else text.replace('ram_style = "ultra"', 'ram_style = "block"')


def write_project(board: BoardConfig, machine: MachineConfig, verilog: str, out: Path) -> Project:
    """Write the project of ``machine`` on ``board`` to ``out``; the tool's own files there stay.

    Raises:
        ConfigurationError: the machine does not fit the board.
        ToolError: ``verilog`` has other ports than the machine.
        WriteError: the file system refused.
    """
    design = planned(board, machine)
    check_ports(verilog, core_of(machine))
    texts = {
        f"{NAME}.v": verilog,
        f"{NAME}.hwh": hwh_text(design),
        f"{NAME}_registers.h": as_c(machine),
        "settings.tcl": settings_tcl(design),
        "core.tcl": package_tcl(design),
        "block_design.tcl": block_design_tcl(design),
        CONSTRAINTS: _constraints(board),
        **{f"{name}.tcl": (FOLDER / "scripts" / f"{name}.tcl").read_text() for name in SCRIPTS},
        "README.md": _readme(design),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    write_json(out / MANIFEST, _manifest(design))
    return Project(folder=out, design=design)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the project in ``folder``.

    Raises:
        ToolError: there is none, or it is not one.
    """
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ToolError(f"{path} cannot be read ({error}); write the project anew") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ToolError(f"{path} is no manifest of format {FORMAT}; write the project anew")
    return values


def check_ports(verilog: str, core: Core) -> None:
    """Refuse Verilog whose top module has other ports than ``core``.

    Raises:
        ToolError: naming the ports that differ.
    """
    found = re.search(rf"^module {NAME}\((.*?)\);(.*?)^endmodule", verilog, re.M | re.S)
    if found is None:
        raise ToolError(f"the Verilog has no module {NAME}; write it anew with `m3vit rtl`")
    declared = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\S+);$", found.group(2), re.M)
    got = {(name, way == "output", int(high or 0) + 1) for way, high, name in declared}
    wanted = {(port.name, port.output, port.bits) for port in core.ports}
    if got != wanted:
        wrong = ", ".join(sorted({name for name, *_ in got ^ wanted}))
        raise ToolError(f"the Verilog's ports differ from the machine's: {wrong}")


def settings_tcl(design: Design) -> str:
    """What the scripts are told about board and machine."""
    board, machine = design.board, design.machine
    limits = {name: limit for name, limit in LIMITS.items() if name != "URAM" or board.has_uram}
    values: dict[str, object] = {
        "version": VERSION,
        "part": board.platform.device,
        "board_part": board.platform.board_part,
        "clock_mhz": f"{board.clock_mhz:g}",
        "multipliers": machine.multipliers,
        "timeout_minutes": TIMEOUT_MINUTES,
        "jobs": JOBS,
    }
    lines = [
        f"# {board.title}, machine {machine.name}",
        "namespace eval m3vit {",
        *(f"    {command('variable', name, value)}" for name, value in values.items()),
        f"    variable limits {pairs(limits)}",
        "}",
        "",
    ]
    return "\n".join(lines)


def _constraints(board: BoardConfig) -> str:
    """The board's own constraints; a board from a file of one's own has the ZCU104's."""
    name = board.name if board.name in board_names() else "zcu104"
    return (FOLDER / name / CONSTRAINTS).read_text()


def _manifest(design: Design) -> dict[str, Any]:
    board, machine = design.board, design.machine
    return {
        "format": FORMAT,
        "board": board.name,
        "part": board.platform.device,
        "machine": machine.to_dict(),
        "machine_digest": machine.digest,
        "multipliers": machine.multipliers,
        "base_address": BASE_ADDRESS,
        "clock_hz": clock_hz(board),
        "vivado": VERSION,
    }


def _readme(design: Design) -> str:
    board, machine = design.board, design.machine
    return f"""# {NAME} for {board.title}, machine {machine.name}

With Vivado {VERSION} or later and the board's files ({board.platform.board_part}):

    {COMMAND}

It packages the Verilog as an IP core, makes the block design, synthesises, places, routes, checks
and writes `{NAME}.bit`; a check that fails ends it with exit code 1, one sentence and no bitstream.
With `-tclargs design` it ends after the block design (minutes), with `synthesis` before placing.
Reports are in `reports`; `m3vit bitstream --reports reports --json` reads them.

| file | what it is |
|---|---|
| `{NAME}.v` | the accelerator |
| `core.tcl`, `package.tcl` | IP core: interfaces, parameters, register map |
| `block_design.tcl` | processing system, interconnect, interrupt, addresses |
| `{CONSTRAINTS}` | constraints |
| `settings.tcl`, `build.tcl`, `checks.tcl` | part, clock and limits; the flow; its checks |
| `{NAME}.hwh` | metadata that PYNQ needs beside the bitstream |
| `{NAME}_registers.h` | the registers for C |
| `{MANIFEST}` | board, machine and digest; the driver refuses a package of another digest |
"""
