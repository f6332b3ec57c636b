"""The accelerator's Verilog for a machine, from the command line's ``rtl`` verb, kept by digest."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from m3vit.hw.errors import ToolError
from m3vit.hw.files import write_text
from m3vit.hw.machine import MachineConfig

COMMAND_LINE = "m3vit.host.cli"
"""Run as a program: the generator's packages are not this part's to import."""

SOURCES = ("m3vit.rtl", "m3vit.hw")


def build_folder() -> Path:
    """Where simulators are kept: ``$M3VIT_BUILD/rtl``, else ``build/rtl``."""
    return Path(os.environ.get("M3VIT_BUILD", "build")).resolve() / "rtl"


def simulation_verilog(machine: MachineConfig, home: Path) -> Path:
    """The Verilog of ``machine`` with models of vendor primitives, made unless it is there.

    Raises:
        ToolError: the generator failed; its last line is quoted.
    """
    path = home / f"{machine.name}-{_key(machine)}.v"
    if not path.exists():
        _generate(machine, path)
    return path


def _generate(machine: MachineConfig, path: Path) -> None:
    print(f"generating the Verilog of {machine.name}, a minute or two", file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="m3vit-") as work:
        described = write_text(Path(work) / "machine.json", json.dumps(machine.to_dict()))
        made = Path(work) / path.name
        done = subprocess.run(
            [
                *(sys.executable, "-W", "ignore", "-m", COMMAND_LINE, "rtl"),
                *("--machine", str(described), "--simulation", "--out", str(made)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ToolError(f"cannot generate the Verilog of machine {machine.name}: {last}")
        write_text(path, made.read_text())


def _key(machine: MachineConfig) -> str:
    """Digest of everything that the Verilog follows from."""
    total = hashlib.sha256(machine.digest.encode())
    for file in _sources():
        total.update(f"{file.name} ".encode())
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for package in SOURCES:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            raise ToolError(f"{package} is not installed; run `make install`")
        folder = Path(next(iter(found.submodule_search_locations)))
        yield from sorted(f for f in folder.rglob("*") if f.suffix in (".py", ".v", ".cpp"))
