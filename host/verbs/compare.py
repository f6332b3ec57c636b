"""``m3vit compare``: one table and plots of all machines, each figure with its evidence."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "records",
        type=Path,
        nargs="*",
        metavar="RECORDS",
        help="files of records or estimates, one a line (default: those that ship)",
    )
    parser.add_argument("--no-published", action="store_true", help="leave out others' figures")
    parser.add_argument(
        "--one-row", action="store_true", help="refuse records that did unequal work"
    )
    parser.add_argument(
        "--routing",
        type=Path,
        metavar="FILE",
        help="trace of `m3vit run --trace` to draw expert loads of (default: the one that ships)",
    )
    parser.add_argument("--machine", default="zcu104", help="machine of the drawn roofline")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write table and plots here")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="put the table into a document")
    parser.add_argument(
        "--check", action="store_true", help="with --readme: only fail if it is stale"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare; the table goes to standard output."""
    import json

    from m3vit.host.compare import readme
    from m3vit.host.compare.markdown import render
    from m3vit.host.compare.plots import write_plots
    from m3vit.host.compare.reading import committed_routing, gather
    from m3vit.host.compare.rows import one_row, rows_of
    from m3vit.host.compare.table_json import to_dict
    from m3vit.hw.errors import ConfigurationError
    from m3vit.hw.files import write_json, write_text
    from m3vit.hw.machine import machine_preset
    from m3vit.hw.routing_trace import load_trace

    if args.check and args.readme is None:
        raise ConfigurationError("--check needs --readme FILE to check")
    machine = machine_preset(args.machine)
    trace = [] if args.records else committed_routing()
    trace = load_trace(args.routing) if args.routing else trace
    entries = gather(args.records, published=not args.no_published)
    rows = [one_row(entries)] if args.one_row else rows_of(entries)
    table = render(rows)
    if args.check:
        command = f"m3vit compare --readme {args.readme}"
        readme.check(args.readme, table, command)
        print(f"{args.readme} is up to date")
        return 0
    print(json.dumps(to_dict(rows)) if args.json else table, end="\n" if args.json else "")
    written = [readme.update(args.readme, table)] if args.readme else []
    if args.out:
        written += [
            write_text(args.out / "compare.md", table),
            write_json(args.out / "compare.json", to_dict(rows)),
            *write_plots(args.out, rows, trace, machine),
        ]
    if not args.json:
        print("".join(f"wrote {path}\n" for path in written), end="")
    return 0
