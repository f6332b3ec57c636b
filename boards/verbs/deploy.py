"""``m3vit deploy``: bitstream, metadata, package and notebooks to a board on the network."""

import argparse
import json
import os
import re
import sys
from pathlib import Path

_TARGET = re.compile(r"([A-Za-z0-9_][\w.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--ip", default="", help="board's address, [USER@]HOST; xilinx by default")
    parser.add_argument("--board", default="zcu104", help="whose build; zcu104")
    parser.add_argument("--build", type=Path, help="folder; build/bitstream/BOARD by default")
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Copy, or say what would be done."""
    from m3vit.boards import deploy
    from m3vit.hw.errors import ConfigurationError

    if not _TARGET.fullmatch(args.ip):
        raise ConfigurationError(
            f"the board's address is {args.ip!r}, expected [USER@]HOST; give it as "
            "`make deploy BOARD_IP=192.168.2.99`"
        )
    target = args.ip if "@" in args.ip else f"xilinx@{args.ip}"
    home = Path(os.environ.get("M3VIT_BUILD", "build")) / "bitstream"
    build = args.build or home / args.board
    files = deploy.required_files(build)
    wheel, sums = Path(deploy.wheel_name()), Path(deploy.SUMS)
    whole = (*files, deploy.INSTALL, wheel, sums)
    planned = [step.text for step in deploy.steps(target, whole)]
    if not args.dry_run:
        deploy.deploy(target, build)
    install = deploy.INSTALL_COMMAND
    if args.json:
        print(json.dumps({"target": target, "commands": planned, "install": install}))
        return 0
    if args.dry_run:
        print("\n".join(planned))
    else:
        print(f"wrote {target}:{deploy.FOLDER}", file=sys.stderr)
    print(f"then, on the board: {install}")
    return 0
