"""``m3vit verify``: every layer of a package on a device against the integer reference."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("package", type=Path, help="what `m3vit compile` wrote")
    parser.add_argument("--device", default="rtl", help="what to verify (default: rtl)")
    parser.add_argument("--machine", help="machine that the device is (default: the package's)")
    parser.add_argument("--image", type=Path, help="photograph (default: the recorded sample)")
    parser.add_argument(
        "--task", action="append", metavar="T", help="task, may be repeated (default: the first)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, only that")


def run(args: argparse.Namespace) -> int:
    """Verify; 1 if any integer differs, and the first of them is named."""
    import json

    from m3vit.host.devices.table import open_device
    from m3vit.host.images import read_image
    from m3vit.host.progress import Seldom
    from m3vit.host.run_images import chosen_tasks
    from m3vit.host.verify import verify
    from m3vit.hw.machine_file import find_machine
    from m3vit.hw.package import read_package

    package = read_package(args.package)
    machine = find_machine(args.machine) if args.machine else package.machine
    image = read_image(args.image) if args.image else package.golden()["image"]
    tasks = chosen_tasks(package, args.task or package.config.task_names[:1])
    with open_device(args.device, machine) as device:
        found = verify(package, device, image, tasks, Seldom() if args.json else _print_now)
        name = device.name
    equal = all(one.first is None for one in found)
    if args.json:
        entries = [one.to_dict() for one in found]
        print(json.dumps({"device": name, "package": str(args.package), "tasks": entries}))
    elif equal:
        layers, integers = (sum(getattr(one, what) for one in found) for what in _SUMS)
        print(f"{name}: {layers} layers, {integers} integers equal to the reference")
    return 0 if equal else 1


_SUMS = ("layers", "integers")


def _print_now(line: str) -> None:
    print(line, flush=True)
