"""``m3vit run``: images to predictions on a device."""

import argparse
import os
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="photographs")
    parser.add_argument("--package", type=Path, required=True, help="what `m3vit compile` wrote")
    parser.add_argument(
        "--task", action="append", metavar="T", help="task, may be repeated (default: all)"
    )
    parser.add_argument("--device", default="reference", help="where to run (default: reference)")
    parser.add_argument("--machine", help="machine that the device is (default: the package's)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write pictures here")
    parser.add_argument(
        "--arrays", action="store_true", help="write predictions as .npz beside the pictures"
    )
    parser.add_argument(
        "--truth", type=Path, metavar="FILE", help="ground truth (.npz) to show beside one image"
    )
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write the routing (.npz)")
    parser.add_argument(
        "--profile",
        type=Path,
        nargs="?",
        const=Path(os.environ.get("M3VIT_BUILD", "build")) / "profile",
        metavar="DIR",
        help="count every unit's cycles by layer (--device rtl): table, picture and JSON in DIR",
    )
    parser.add_argument(
        "--waves", type=Path, metavar="FILE", help="the first run's signals (--device rtl) as VCD"
    )
    parser.add_argument(
        "--cycles", metavar="FROM:TO", help="window of --waves in cycles since the start"
    )
    parser.add_argument("--json", action="store_true", help="print one record a line, only that")


def run(args: argparse.Namespace) -> int:
    """Run every image for every task asked for."""
    from m3vit.host.devices.table import open_device
    from m3vit.host.images import read_image
    from m3vit.host.profile_table import profile_table
    from m3vit.host.profiling import start_profile, write_profiles
    from m3vit.host.progress import Patient
    from m3vit.host.report import table
    from m3vit.host.run_images import ALL_TASKS, Finished, Request, run_images
    from m3vit.host.truth import read_truth
    from m3vit.host.waves import start_waves, window_of, with_waves
    from m3vit.hw.errors import ConfigurationError
    from m3vit.hw.machine_file import find_machine
    from m3vit.hw.package import read_package
    from m3vit.hw.routing_trace import save_trace

    if args.arrays and args.out is None:
        raise ConfigurationError("--arrays needs --out DIR to write to")
    package = read_package(args.package)
    machine = find_machine(args.machine) if args.machine else package.machine
    truth = {}
    if args.truth:
        height, width, _ = read_image(args.images[0]).shape
        truth = read_truth(args.truth, package.config, (height, width))
    request = Request(
        images=args.images,
        tasks=args.task or [ALL_TASKS],
        out=args.out,
        arrays=args.arrays,
        routing=args.trace is not None,
        truth=truth,
    )
    finished: list[Finished] = []
    profiled: list[Path] = []
    window = window_of(args.cycles)
    with open_device(with_waves(args.device) if args.waves else args.device, machine) as device:
        if args.waves:
            start_waves(device, args.waves, window)
        counting = start_profile(device) if args.profile else None
        for one in run_images(package, device, request, Patient()):
            finished.append(one)
            if args.json:
                print("\n".join(record.to_json() for record in one.records), flush=True)
        if counting is not None:
            names = [name for one in finished for name in one.names]
            profiles, profiled = write_profiles(counting, package, names, args.profile)
            if not args.json:
                print("\n\n".join(map(profile_table, profiles)) + "\n")
    if args.trace:
        save_trace(args.trace, [entry for one in finished for entry in one.trace])
    if not args.json:
        print(table([record for one in finished for record in one.records]))
        written = [*(path for one in finished for path in one.written)]
        for path in [*written, *filter(None, (args.trace, args.waves)), *profiled]:
            print(f"wrote {path}")
    return 0
