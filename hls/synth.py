"""Synthesis with Vitis HLS, where it is installed."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from m3vit.hls.project import read_project
from m3vit.hw.errors import ToolError

COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "vitis_hls": ("-f", "synth.tcl"),
        "vitis-run": ("--mode", "hls", "--tcl", "synth.tcl"),
    }
)
"""Programs that synthesise, in order of preference: 2024 and before, and 2024.2 and later."""


def tool() -> list[str]:
    """The command that runs synth.tcl.

    Raises:
        ToolError: neither program is on the path.
    """
    for name, arguments in COMMANDS.items():
        found = shutil.which(name)
        if found:
            return [found, *arguments]
    raise ToolError(
        f"synthesis needs {' or '.join(COMMANDS)} on the path, found neither; source Vitis' "
        "settings64.sh, or use `m3vit hls csim` and `m3vit hls estimate` without it"
    )


def synthesise(project: Path) -> Path:
    """Run synthesis in ``project``; its log is vitis.log there.  Returns the log.

    Raises:
        PackageError: ``project`` was not generated.
        ToolError: Vitis is absent or failed.
    """
    read_project(project)
    command = tool()
    log = project / "vitis.log"
    with log.open("w") as stream:
        code = subprocess.run(
            command, cwd=project, stdout=stream, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code:
        raise ToolError(f"{Path(command[0]).name} ended with code {code}; see {log}")
    return log
