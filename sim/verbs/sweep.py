"""``m3vit sweep``: every combination of settings in a file, in parallel and resumable."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("config", metavar="CONFIG.toml", type=Path, help="kind, [fixed], [grid]")
    parser.add_argument("--out", type=Path, help="folder of the records (results/sweep/NAME)")
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on this Dask scheduler instead")
    parser.add_argument("--json", action="store_true", help="print all records as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the sweep; an interrupted one goes on where it stopped."""
    from m3vit.hw import files
    from m3vit.hw.errors import ConfigurationError
    from m3vit.sim.sweep import read_sweep, run_sweep

    if args.workers < 1:
        raise ConfigurationError(f"workers must be 1 or more, got {args.workers}")
    sweep = read_sweep(args.config)
    folder = args.out or Path("results") / "sweep" / args.config.stem
    backend = _connect(args.dask) if args.dask else None
    records = run_sweep(
        sweep, folder, workers=args.workers, backend=backend, progress=_show_progress
    )
    path = files.write_json(folder.parent / f"{folder.name}.json", records)
    print(json.dumps(records, indent=1) if args.json else f"wrote {path} ({len(records)} records)")
    return 0


def _connect(address: str) -> str:
    import distributed

    from m3vit.hw.errors import ConfigurationError

    client: Any = distributed.Client
    try:
        client(address, timeout=10)
    except OSError as error:
        raise ConfigurationError(f"no Dask scheduler answers at {address}: {error}") from error
    return "dask"


def _show_progress(done: int, total: int) -> None:
    end = "\n" if done == total else "\r"
    print(f"{done} of {total} cases", end=end, file=sys.stderr, flush=True)
