"""``m3vit notebooks``: run them headless, with outputs and pictures as files."""

import argparse
import os
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    build = Path(os.environ.get("M3VIT_BUILD", "build"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("--device", help="where they run (default: M3VIT_DEVICE, else reference)")
    parser.add_argument("--package", type=Path, help="what they run (default: what the demo made)")
    parser.add_argument("--out", type=Path, default=build / "notebooks", help="folder to write to")
    parser.add_argument(
        "--write", action="store_true", help="only make the .ipynb anew from their sources"
    )


def run(args: argparse.Namespace) -> int:
    """Run or write; prints every file."""
    from m3vit.host.notebooks.convert import NAMES, write_all
    from m3vit.host.notebooks.execute import execute
    from m3vit.host.notebooks.start import DEVICE, PACKAGE, package_path
    from m3vit.host.progress import say

    if args.write:
        print("\n".join(f"wrote {path}" for path in write_all()))
        return 0
    if args.package:
        os.environ[PACKAGE] = str(args.package.resolve())
    if args.device:
        os.environ[DEVICE] = args.device
    package_path()
    for name in args.names or NAMES:
        for path in execute(name, args.out, say):
            print(f"wrote {path}", flush=True)
    return 0
