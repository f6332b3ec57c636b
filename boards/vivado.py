"""Vivado as a program: whether it is there, and a build in batch."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from m3vit.boards.hwh import VERSION
from m3vit.boards.project import COMMAND, TIMEOUT_MINUTES, Project
from m3vit.hw.errors import ToolError

LOG = "vivado.out"
STEPS = ("core", "design", "synthesis", "bitstream")
"""Of ``scripts/build.tcl``: packaged, block design valid, netlist, all."""
_ANSWER_S = 120.0
_SLACK_S = 600.0
"""The scripts' own time-out ends runs; this is for a tool that hangs."""
_REPORT_S = 60.0


def require_vivado(project: Project) -> str:
    """The version on PATH.

    Raises:
        ToolError: it is absent, silent or too old; the message says how to go on without it.
    """
    rest = f"the complete project is in {project.folder}, run `{COMMAND}` there"
    if shutil.which("vivado") is None:
        raise ToolError(f"Vivado {VERSION} or later is not on PATH; {rest}")
    try:
        done = subprocess.run(
            ["vivado", "-version"], capture_output=True, text=True, timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"vivado -version does not answer ({error}); {rest}") from error
    found = re.search(r"[Vv]ivado v(\d+)\.(\d+)", done.stdout)
    if found is None:
        raise ToolError(f"vivado -version names no version; {rest}")
    version = f"{found.group(1)}.{found.group(2)}"
    if tuple(map(int, found.groups())) < tuple(map(int, VERSION.split("."))):
        raise ToolError(f"Vivado {VERSION} or later is needed, this is {version}; {rest}")
    return version


def build(project: Project, last: str = STEPS[-1]) -> None:
    """Run the build in batch up to step ``last``, its output going to a file.

    A line a minute on standard error says that it lives.

    Raises:
        ToolError: a check failed, the tool failed or it hangs; with the sentence it gave.
    """
    log = project.folder / LOG
    end = time.monotonic() + 2 * TIMEOUT_MINUTES * 60 + _SLACK_S
    with log.open("w") as output, _started(project, last, output.fileno()) as process:
        try:
            while process.poll() is None:
                _wait(process, end, log)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # the launcher's children too
            raise
    if process.returncode:
        raise ToolError(f"the build failed: {_reason(log)}")
    if last == STEPS[-1] and not project.bitstream.exists():
        raise ToolError(f"the build wrote no {project.bitstream}; see {log}")


def _started(project: Project, last: str, output: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*COMMAND.split(), "-tclargs", last],
        cwd=project.folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _wait(process: "subprocess.Popen[bytes]", end: float, log: Path) -> None:
    try:
        process.wait(min(_REPORT_S, max(0.0, end - time.monotonic())))
    except subprocess.TimeoutExpired:
        if time.monotonic() >= end:
            raise ToolError(f"the build did not end in time and was stopped; see {log}") from None
        print(f"vivado: {_last_line(log)}", file=sys.stderr, flush=True)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip()[:100] for line in reversed(lines) if line.strip()), "started")


def _reason(log: Path) -> str:
    """Our scripts' sentence, else the tool's first error, else where to look."""
    lines = log.read_text(errors="replace").splitlines()
    for start in ("ERROR: m3vit: ", "ERROR: "):
        for line in lines:
            if line.startswith(start):
                return line.removeprefix(start)
    return f"see {log}"
