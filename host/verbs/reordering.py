"""``m3vit reordering``: what expert by expert saves against token by token, side by side."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("package", type=Path, help="what `m3vit compile` wrote")
    parser.add_argument("--device", default="rtl", help="what counts (default: rtl)")
    parser.add_argument("--machine", help="machine that the device is (default: the package's)")
    parser.add_argument("--image", type=Path, help="photograph (default: the recorded sample)")
    parser.add_argument("--task", metavar="T", help="task (default: the first)")
    parser.add_argument("--json", action="store_true", help="print one record a line, only that")


def run(args: argparse.Namespace) -> int:
    """Run both ways and print them side by side."""
    from m3vit.host.devices.table import open_device
    from m3vit.host.images import read_image, resize_image
    from m3vit.host.reordering import both_ways, compare_ways
    from m3vit.hw.golden.embedding import patches
    from m3vit.hw.machine_file import find_machine
    from m3vit.hw.package import read_package

    package = read_package(args.package)
    both_ways(package)  # refuses what cannot be compared before a simulator is built
    config = package.config
    machine = find_machine(args.machine) if args.machine else package.machine
    image = read_image(args.image) if args.image else package.golden()["image"]
    resized = resize_image(image, config.image_height, config.image_width)
    task = config.task_index(args.task or config.task_names[0])
    name = str(args.image) if args.image else "recorded sample"
    with open_device(args.device, machine) as device:
        found = compare_ways(package, device, patches(resized, config.patch), task, name)
    print("\n".join(one.to_json() for one in found.records) if args.json else found.text())
    return 0
