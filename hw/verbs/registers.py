"""``m3vit registers``: the register table as text, JSON or a C header."""

import argparse
import sys
from pathlib import Path

FORMATS = ("text", "json", "c")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--format", choices=FORMATS, default="text", help="text by default")
    parser.add_argument("--json", action="store_true", help="short for --format json")
    parser.add_argument("--machine", help="show the identity values of this machine")
    parser.add_argument("--out", type=Path, help="write to this file instead of printing")


def run(args: argparse.Namespace) -> int:
    """Print or write the table."""
    from m3vit.hw import register_output
    from m3vit.hw.files import write_text
    from m3vit.hw.machine_file import find_machine

    machine = find_machine(args.machine) if args.machine else None
    kind = "json" if args.json else args.format
    text = getattr(register_output, f"as_{kind}")(machine)
    if args.out is None:
        print(text)
    else:
        print(f"wrote {write_text(args.out, text.rstrip() + chr(10))}", file=sys.stderr)
    return 0
