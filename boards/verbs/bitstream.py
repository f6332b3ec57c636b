"""``m3vit bitstream``: a board's project for Vivado, and its bitstream where Vivado is."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from m3vit.boards.project import Project


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--board", default="zcu104", help="board or a .toml file; zcu104")
    parser.add_argument("--machine", help="machine preset instead of the board's own")
    parser.add_argument("--out", type=Path, help="folder; build/bitstream/BOARD by default")
    parser.add_argument("--no-run", action="store_true", help="write the project only")
    parser.add_argument("--last", metavar="STEP", help="end after core, design or synthesis")
    parser.add_argument("--reports", type=Path, help="only read the reports in this folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Write, build, check; or read reports."""
    if args.reports is not None:
        return _report(args.reports, args.reports.parent, args.json)
    _check_step(args.last)
    project = _write(args)
    print(f"wrote {project.folder}", file=sys.stderr)
    if args.no_run:
        if args.json:
            print(json.dumps({"folder": str(project.folder)}))
        return 0
    from m3vit.boards.vivado import STEPS, build, require_vivado

    last = args.last or STEPS[-1]
    version = require_vivado(project)
    print(f"building up to {last} with Vivado {version}, minutes to hours", file=sys.stderr)
    build(project, last)
    if last != STEPS[-1]:
        print(f"done up to {last} in {project.folder}", file=sys.stderr)
        return 0
    print(f"wrote {project.bitstream}", file=sys.stderr)
    return _report(project.reports, project.folder, args.json)


def _check_step(last: str | None) -> None:
    from m3vit.boards.vivado import STEPS
    from m3vit.hw.errors import ConfigurationError

    if last is not None and last not in STEPS:
        raise ConfigurationError(f"--last is {last!r}, expected one of {', '.join(STEPS)}")


def _write(args: argparse.Namespace) -> "Project":
    from m3vit.boards import project
    from m3vit.boards.board import load_board

    board = load_board(args.board)
    machine = board.machine(args.machine)
    project.planned(board, machine)  # refuses before the minutes of converting
    home = Path(os.environ.get("M3VIT_BUILD", "build")) / "bitstream"
    out = args.out or home / "-".join(filter(None, (board.name, args.machine)))
    print(f"converting {machine.name} to Verilog, a minute or two", file=sys.stderr)
    verilog = project.verilog_of(machine, ultra_ram=board.has_uram)
    return project.write_project(board, machine, verilog, out)


def _report(folder: Path, project: Path, as_json: bool) -> int:
    """Print what the reports say; a failed check is an error."""
    from m3vit.boards.metadata import VENDORS, differences
    from m3vit.boards.project import read_manifest
    from m3vit.boards.reports import read_reports
    from m3vit.hw.errors import ToolError
    from m3vit.hw.files import write_json
    from m3vit.rtl.top import NAME

    manifest, reports = read_manifest(project), read_reports(folder)
    multipliers = int(manifest["multipliers"])
    device, digest = str(manifest["board"]), str(manifest["machine_digest"])
    record = reports.to_record(str(manifest["machine"]["name"]), device, digest)
    values = {**reports.to_dict(multipliers), "record": record.to_dict()}
    if (folder / VENDORS).exists():
        values["failures"] += differences(project / f"{NAME}.hwh", folder / VENDORS)
    path = write_json(folder / "reports.json", values)
    if as_json:
        print(json.dumps(values))
    else:
        slack = reports.slack_ns["setup"]
        print(f"{reports.clock_mhz:g} MHz, worst setup slack {slack:g} ns")
        for name, usage in reports.cells.items():
            print(f"{name:15} {usage.used:9g} of {usage.available:9g}  {usage.percent:5.1f} %")
    print(f"wrote {path}", file=sys.stderr)
    failures = values["failures"]
    if failures:
        raise ToolError(f"this build must not be used: {'; '.join(failures)}")
    return 0
