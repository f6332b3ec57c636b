"""`make bench-reordering`: experts reordered against token by token, on one routing, in RTL.

Random weights, one image.  Both results are compared with the integer reference's.
"""

import argparse
import sys
from pathlib import Path

from m3vit.host.driver.simulated import open_rtl
from m3vit.host.reordering import compare_ways
from m3vit.hw.files import write_text
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import MODELS
from m3vit.hw.records import ResultRecord
from tests.sim.rtl.bench_rtl import SEED, Row, random_package
from tests.support.random_models import random_image

MODEL, MACHINE = "nano-scenes", "mini"


def merged(path: Path, records: list[ResultRecord]) -> str:
    """What is in the file, with ``records`` in the place of those of their models and devices."""
    lines = path.read_text().splitlines() if path.exists() else []
    places = {(one.model, one.device, one.image) for one in records}
    kept = [
        old
        for old in map(ResultRecord.from_json, filter(str.strip, lines))
        if (old.model, old.device, old.image) not in places
    ]
    return "".join(one.to_json() + "\n" for one in [*kept, *records])


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench-reordering", description=__doc__)
    parser.add_argument("models", nargs="*", help=f"of {', '.join(MODELS)} (default: {MODEL})")
    parser.add_argument("--machine", default=MACHINE, help=f"machine preset (default: {MACHINE})")
    parser.add_argument("--device", default="", help="options of the memory: latency=60,rate=45.7")
    parser.add_argument("--out", type=Path, default=Path("results/reordering.jsonl"))
    parser.add_argument("--packages", type=Path, default=Path("build/bench-rtl"))
    args = parser.parse_args(arguments)
    machine = machine_preset(args.machine)
    for name in args.models or [MODEL]:
        package = random_package(Row(name=name), machine, args.packages)
        tiles = patches(random_image(package.config, SEED), package.config.patch)
        print(f"{name} on {machine.name}: both ways in RTL simulation", file=sys.stderr, flush=True)
        with open_rtl(machine, args.device) as device:
            source = f"random, seed {SEED}, machine {machine.name}"
            found = compare_ways(package, device, tiles, 0, source)
        print(found.text(), flush=True)
        write_text(args.out, merged(args.out, list(found.records)))
    print(f"wrote {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
