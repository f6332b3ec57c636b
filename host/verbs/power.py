"""``m3vit power``: a board's rails at rest and while it runs, energy of one image."""

import argparse
from pathlib import Path

RAILED = ("pynq",)
"""Devices that are the board on which this program runs."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--package", type=Path, required=True, help="what `m3vit compile` wrote")
    parser.add_argument("--device", default="pynq", help="what runs (default: pynq)")
    parser.add_argument("--machine", help="machine that the device is (default: the package's)")
    parser.add_argument("--image", type=Path, help="photograph (default: the package's sample)")
    parser.add_argument(
        "--task", action="append", metavar="T", help="task, may be repeated (default: all)"
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="at work, and as long at rest, for each task"
    )
    parser.add_argument(
        "--hwmon", type=Path, metavar="DIR", help="where the rails are (default: /sys/class/hwmon)"
    )
    parser.add_argument(
        "--rail", action="append", default=[], metavar="NAME", help="sum only rails with this name"
    )
    parser.add_argument("--samples", type=Path, metavar="FILE", help="write every reading (JSONL)")
    parser.add_argument("--json", action="store_true", help="print one record a line, only that")


def run(args: argparse.Namespace) -> int:
    """Measure every task asked for."""
    from m3vit.host.devices.table import open_device
    from m3vit.host.images import read_image, resize_image
    from m3vit.host.power.hwmon import ROOT, chosen_rails, find_rails
    from m3vit.host.power.measure import measure
    from m3vit.host.power.report import readings, record_of, render
    from m3vit.host.progress import say
    from m3vit.host.run_images import ALL_TASKS, chosen_tasks
    from m3vit.hw.errors import ConfigurationError, DeviceError
    from m3vit.hw.files import write_text
    from m3vit.hw.golden.embedding import patches
    from m3vit.hw.machine import machine_preset
    from m3vit.hw.package import read_package

    if args.device.partition(":")[0] not in RAILED and args.hwmon is None:
        raise DeviceError(
            f"device {args.device} has no power rails on this computer; run this on the board with "
            "--device pynq, or say with --hwmon DIR where its rails are"
        )
    if not 1 <= args.seconds <= 3600:
        raise ConfigurationError(f"--seconds is {args.seconds:g}, expected 1 to 3600")
    rails = chosen_rails(find_rails(args.hwmon or ROOT), args.rail)
    package = read_package(args.package)
    config = package.config
    image = read_image(args.image) if args.image else package.golden()["image"]
    tiles = patches(resize_image(image, config.image_height, config.image_width), config.patch)
    machine = machine_preset(args.machine) if args.machine else package.machine
    with open_device(args.device, machine) as device:
        done = [
            measure(package, device, tiles, task, rails, args.seconds, say)
            for task in chosen_tasks(package, args.task or [ALL_TASKS])
        ]
        name = device.name
    records = [record_of(package, name, str(args.image or "sample"), one) for one in done]
    print("\n".join(record.to_json() for record in records) if args.json else render(done))
    if args.samples:
        write_text(args.samples, readings(done))
        if not args.json:
            print(f"wrote {args.samples}")
    return 0
