"""``m3vit validate``: a folder of images on a device against golden integers and ground truth."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="photographs or rendered scenes")
    parser.add_argument("--package", type=Path, required=True, help="what `m3vit compile` wrote")
    parser.add_argument("--device", default="reference", help="where to run (default: reference)")
    parser.add_argument("--machine", help="machine that the device is (default: the package's)")
    parser.add_argument(
        "--task", action="append", metavar="T", help="task, may be repeated (default: all)"
    )
    parser.add_argument(
        "--truth", type=Path, metavar="DIR", help="ground truth NAME.npz (default: beside images)"
    )
    parser.add_argument(
        "--quantised",
        type=Path,
        metavar="FILE",
        help="what the package was compiled from: compare with it, evaluated layer by layer",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the predictions here")
    parser.add_argument("--json", action="store_true", help="print one JSON object, only that")


def run(args: argparse.Namespace) -> int:
    """Validate; 1 if any integer differs or the device failed on any image."""
    import json

    from m3vit.host.devices.table import open_device
    from m3vit.host.progress import say
    from m3vit.host.run_images import ALL_TASKS
    from m3vit.host.validation.summary import render
    from m3vit.host.validation.validate import Request, validate
    from m3vit.hw.machine import machine_preset
    from m3vit.hw.package import read_package

    package = read_package(args.package)
    request = Request(
        folder=args.folder,
        tasks=args.task or [ALL_TASKS],
        truth=args.truth,
        quantised=args.quantised,
        out=args.out,
    )
    machine = machine_preset(args.machine) if args.machine else package.machine
    with open_device(args.device, machine) as device:
        summary = validate(package, device, request, say if args.json else _print_now)
    print(json.dumps(summary.to_dict()) if args.json else f"\n{render(summary)}")
    if args.out and not args.json:
        print(f"wrote {args.out}")
    return 1 if summary.nok else 0


def _print_now(line: str) -> None:
    print(line, flush=True)
