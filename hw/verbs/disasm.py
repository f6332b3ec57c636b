"""``m3vit disasm``: a package's commands as text or JSON, and the command set's reference."""

import argparse
import json
from pathlib import Path

from m3vit.hw.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("package", type=Path, nargs="?", help="package directory")
    parser.add_argument(
        "--reference", action="store_true", help="print the command set bit by bit instead"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the listing."""
    from m3vit.hw.commands.text import reference

    if args.reference:
        print(json.dumps(_reference()) if args.json else reference())
        return 0
    if args.package is None:
        raise ConfigurationError("no package given; name its directory, or ask for --reference")
    _print_package(args.package, args.json)
    return 0


def _print_package(path: Path, as_json: bool) -> None:
    from m3vit.hw.commands.text import as_dict, listing
    from m3vit.hw.package import read_package

    package = read_package(path)
    if as_json:
        commands = [as_dict(command, index) for index, command in enumerate(package.commands)]
        print(json.dumps({"digest": package.digest, "commands": commands}))
        return
    print(f"; {package.config.name} for {package.machine.name}, digest {package.digest[:16]}")
    print(listing(package.commands))


def _reference() -> dict[str, object]:
    from m3vit.hw.commands.fields import HEADER, SPECS, Field

    def plain(fields: tuple[Field, ...]) -> list[dict[str, object]]:
        return [
            {"name": item.name, "bits": item.bits, "unit": item.unit, "doc": item.doc}
            for item in fields
        ]

    operations = {
        op.name: {"code": int(op), "doc": spec.doc, "fields": plain(spec.fields)}
        for op, spec in SPECS.items()
    }
    return {"header": plain(HEADER), "operations": operations}
