"""``m3vit rtl``: the accelerator's Verilog for a machine."""

import argparse
import hashlib
import json
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--machine", default="zcu104", help="preset, or a .json or .toml file")
    parser.add_argument("--out", type=Path, required=True, help="Verilog file to write")
    parser.add_argument(
        "--simulation",
        action="store_true",
        help="for Verilator: a probe of the counters, equal models of lane blocks and multipliers",
    )
    parser.add_argument(
        "--primitives",
        action="store_true",
        help="add behavioural primitives only, every multiplier simulated by itself",
    )
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")


def run(args: argparse.Namespace) -> int:
    """Convert and write."""
    from m3vit.hw.files import write_text
    from m3vit.hw.machine_file import find_machine
    from m3vit.rtl.library import PRIMITIVES, convert
    from m3vit.rtl.top import NAME, Top

    machine = find_machine(args.machine)
    print(f"converting {machine.name}, a minute or two", file=sys.stderr)
    text = convert(Top(machine, probe=args.simulation), NAME, models=args.simulation).text
    if args.simulation or args.primitives:
        text += "\n" + PRIMITIVES.read_text()
    path = write_text(args.out, text)
    if args.json:
        record = {"file": str(path), "machine": machine.name, "digest": machine.digest}
        print(json.dumps({**record, "bytes": len(text), "sources": _sources()}))
    else:
        print(f"wrote {path}", file=sys.stderr)
    return 0


def _sources() -> dict[str, str]:
    """SHA-256 of every file of the project that was read, by ``part/path``."""
    import m3vit.hw
    import m3vit.rtl

    found = {}
    for part, package in (("hw", m3vit.hw), ("rtl", m3vit.rtl)):
        folder = Path(str(package.__file__)).parent
        loaded = {Path(str(getattr(one, "__file__", None))) for one in sys.modules.values()}
        texts = [file for file in folder.rglob("*") if file.suffix in (".v", ".cpp")]
        for file in sorted({*loaded, *texts}):
            if file.is_relative_to(folder):
                name = f"{part}/{file.relative_to(folder)}"
                found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found
