"""``m3vit sweep``: every combination of settings in a file, in parallel and resumable."""

import argparse
import json
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("config", metavar="CONFIG.toml", type=Path, help="kind, [fixed], [grid]")
    parser.add_argument("--out", type=Path, help="folder of the records (results/sweep/NAME)")
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on this Dask scheduler instead")
    parser.add_argument("--ray", metavar="ADDRESS", help="or on this Ray cluster; local: start one")
    parser.add_argument("--json", action="store_true", help="print all records as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the sweep; an interrupted one goes on where it stopped."""
    from m3vit.hw import files
    from m3vit.hw.errors import ConfigurationError
    from m3vit.sim.sweep import read_sweep, result_lines, run_sweep

    if args.workers < 1:
        raise ConfigurationError(f"workers must be 1 or more, got {args.workers}")
    sweep = read_sweep(args.config)
    folder = args.out or Path("results") / "sweep" / args.config.stem
    backend = _backend(args)
    records = run_sweep(
        sweep, folder, workers=args.workers, backend=backend, progress=_show_progress
    )
    path = files.write_json(folder.parent / f"{folder.name}.json", records)
    if lines := result_lines(records):
        files.write_text(path.with_suffix(".jsonl"), lines)
    print(json.dumps(records, indent=1) if args.json else f"wrote {path} ({len(records)} records)")
    return 0


def _backend(args: argparse.Namespace) -> str | None:
    from m3vit.hw.errors import ConfigurationError
    from m3vit.sim.clusters import connect_dask, connect_ray

    if args.dask and args.ray:
        raise ConfigurationError("give one of --dask and --ray, not both")
    if args.dask:
        return connect_dask(args.dask)
    return connect_ray(args.ray) if args.ray else None


def _show_progress(done: int, total: int) -> None:
    end = "\n" if done == total else "\r"
    print(f"{done} of {total} cases", end=end, file=sys.stderr, flush=True)
