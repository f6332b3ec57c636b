"""The accelerator's Verilog for a machine, from the command line's ``rtl`` verb, kept by digest."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m3vit.hw.errors import ToolError
from m3vit.hw.files import write_json, write_text
from m3vit.hw.machine import MachineConfig

COMMAND_LINE = "m3vit.host.cli"
"""Run as a program: the generator's packages are not this part's to import."""


def build_folder() -> Path:
    """Where simulators are kept: ``$M3VIT_BUILD/rtl``, else ``build/rtl``."""
    return Path(os.environ.get("M3VIT_BUILD", "build")).resolve() / "rtl"


def simulation_verilog(machine: MachineConfig, home: Path) -> Path:
    """The Verilog of ``machine`` with models of vendor primitives, made unless it is there.

    It is there if none of the files that the generator read has changed since.  Its name holds its
    own digest.

    Raises:
        ToolError: the generator failed; its last line is quoted.
    """
    for record in home.glob(f"{machine.name}-*.json"):
        path = home / _usable(record, machine)
        if path != home and path.exists():
            return path
    return _generate(machine, home)


def _usable(record: Path, machine: MachineConfig) -> str:
    """Name of the Verilog that ``record`` describes, empty if it is not what is wanted."""
    try:
        made: Mapping[str, Any] = json.loads(record.read_text())
        if made["machine"] == machine.to_dict() and _unchanged(made["sources"]):
            return str(made["verilog"])
    except (OSError, ValueError, KeyError):
        return ""
    return ""


def _unchanged(sources: Mapping[str, str]) -> bool:
    """Whether the files, named ``package/path``, have the digests that are stated."""
    for name, digest in sources.items():
        package, _, path = name.partition("/")
        file = _folder(package) / path
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            return False
    return True


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(f"m3vit.{package}")
    if found is None or not found.submodule_search_locations:
        raise ToolError(f"m3vit.{package} is not installed; run `make install`")
    return Path(next(iter(found.submodule_search_locations)))


def _generate(machine: MachineConfig, home: Path) -> Path:
    print(f"generating the Verilog of {machine.name}, a minute or two", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="m3vit-") as work:
        described = write_text(Path(work) / "machine.json", json.dumps(machine.to_dict()))
        made = Path(work) / "made.v"
        done = subprocess.run(
            [
                *(sys.executable, "-W", "ignore", "-m", COMMAND_LINE, "rtl", "--json"),
                *("--machine", str(described), "--simulation", "--out", str(made)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ToolError(f"cannot generate the Verilog of machine {machine.name}: {last}")
        text = made.read_text()
    name = f"{machine.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.v"
    sources = json.loads(done.stdout)["sources"]
    path = write_text(home / name, text)
    record = {"verilog": name, "machine": machine.to_dict(), "sources": sources}
    key = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
    write_json(home / f"{machine.name}-{key}.json", record)
    return path
