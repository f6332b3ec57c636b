"""``m3vit compile``: a quantised model to a package directory."""

import argparse
import json
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("quantised", type=Path, help="file that `m3vit quantize` wrote (.npz)")
    parser.add_argument("--machine", default="zcu104", help="machine (see `m3vit presets`)")
    parser.add_argument("--out", type=Path, required=True, help="package directory to write")
    parser.add_argument(
        "--no-reorder",
        action="store_true",
        help="experts token by token through a cache, the same integers slowly (for comparison)",
    )
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")


def run(args: argparse.Namespace) -> int:
    """Compile and say what came out."""
    from m3vit.hw.compiler.compile import compile_model
    from m3vit.hw.machine_file import find_machine
    from m3vit.hw.package import read_package
    from m3vit.hw.quantised_files import load_quantised

    machine = find_machine(args.machine)
    model = load_quantised(args.quantised)
    digest = compile_model(model, machine, args.out, progress=_say, reorder=not args.no_reorder)
    package = read_package(args.out)
    written = {
        "package": str(args.out),
        "digest": digest,
        "model": package.config.name,
        "machine": machine.name,
        "commands": len(package.commands),
        "weights_bytes": len(package.weights),
    }
    if args.json:
        print(json.dumps(written))
    else:
        print(
            f"wrote {args.out}: {package.config.name} for {machine.name}, "
            f"{len(package.commands)} commands, {len(package.weights)} bytes of weights, "
            f"digest {digest[:16]}"
        )
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
