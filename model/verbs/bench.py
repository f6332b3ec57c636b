"""``m3vit bench``: speed of the integer reference as ratios to float32 PyTorch in the same run."""

import argparse
import json
import sys

from m3vit.model.verbs import bench_gpu

REPEATS = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="PRESET",
        help="preset, may be repeated (default: tiny-cityscapes and small-pascal)",
    )
    parser.add_argument("--repeats", type=int, help="turns of each, odd is best (5; cuda: 100)")
    parser.add_argument("--device", choices=("reference", "cuda"), default="reference")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    bench_gpu.configure(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print; speed depends on the machine and is no failure."""
    from m3vit.hw.errors import ConfigurationError
    from m3vit.hw.presets import model_preset
    from m3vit.model.benchmark import LIMIT_MS, measure
    from m3vit.model.benchmark_text import render

    if args.device == "cuda":
        return bench_gpu.run(args)
    repeats = REPEATS if args.repeats is None else args.repeats
    if repeats < 1:
        raise ConfigurationError(f"--repeats is {repeats}, expected at least 1")
    names = args.model or list(LIMIT_MS)
    for name in names:
        model_preset(name)
    speeds = []
    for name in names:
        speed = measure(name, repeats, _say)
        speeds.append(speed)
        if args.json:
            print(json.dumps(speed.to_dict()), flush=True)
    if not args.json:
        print(render(speeds))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
