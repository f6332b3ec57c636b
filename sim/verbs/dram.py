"""``m3vit dram``: run a memory trace through one or more DRAM channels."""

import argparse
import json
from pathlib import Path
from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; names are checked against their tables when the verb runs."""
    parser.add_argument(
        "trace", metavar="TRACE", help="lines `R|W ADDRESS [TICK]`, or stream:BYTES, random:COUNT"
    )
    parser.add_argument(
        "--memory", default="ddr4-2400", help="name of a memory, or a .toml table of your own"
    )
    parser.add_argument("--mapping", default="RoBaRaCoCh", help="RoBaRaCoCh, BgBaCoRo, ...")
    parser.add_argument("--scheduler", default="frfcfs-rowhit", help="frfcfs-rowhit or frfcfs")
    parser.add_argument("--page", default="open", help="open or closed")
    parser.add_argument("--refresh", default="all-bank", help="all-bank, per-bank, paired, none")
    parser.add_argument("--queue", type=int, default=32, help="entries of each request queue")
    parser.add_argument("--channels", type=int, default=1, help="spread the trace over channels")
    parser.add_argument("--granule", type=int, default=256, help="bytes before the next channel")
    parser.add_argument("--workers", type=int, default=1, help="threads for several channels")
    parser.add_argument("--curve", metavar="PNG", help="plot latency over bandwidth instead")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


def run(args: argparse.Namespace) -> int:
    """Simulate and print; errors of names, tables and traces are one line and exit code 2."""
    from m3vit.sim.dram.load import load_memory
    from m3vit.sim.dram.options import Options

    table = load_memory(args.memory)
    options = Options(
        mapping=args.mapping,
        scheduler=args.scheduler,
        page=args.page,
        refresh=args.refresh,
        read_queue=args.queue,
        write_queue=args.queue,
    )
    if args.curve:
        return _curve(args, table, options)
    records = _simulate(args, table, options)
    if args.json:
        print(json.dumps(records[0] if len(records) == 1 else records, indent=1))
    else:
        for entry in records:
            _print(entry)
    return 0


def _simulate(args: argparse.Namespace, table: Any, options: Any) -> list[dict[str, Any]]:
    from m3vit.sim.dram.parallel import combined_gbps, simulate_channels, spread
    from m3vit.sim.dram.record import record
    from m3vit.sim.dram.tracing import parse_source

    trace = parse_source(args.trace, table.access_bytes)
    traces = spread(trace, args.channels, args.granule) if args.channels != 1 else [trace]
    results = simulate_channels(table, traces, options, args.workers)
    records = [record(table, options, result) for result in results]
    if len(records) > 1:
        for number, entry in enumerate(records):
            entry |= {"channel": number, "all_channels_gbps": round(combined_gbps(results), 3)}
    return records


def _curve(args: argparse.Namespace, table: Any, options: Any) -> int:
    from m3vit.sim.dram.curve import bandwidth_latency, plot

    runs = [
        run
        for pattern in (False, True)
        for run in bandwidth_latency(table, options, random=pattern)
    ]
    path = plot(runs, Path(args.curve))
    print(json.dumps(runs, indent=1) if args.json else f"wrote {path}")
    return 0


def _print(entry: dict[str, Any]) -> None:
    latency = entry["read_latency_ns"]
    print(
        f"{entry['memory']}, {entry['mapping']}, {entry['scheduler']}, page {entry['page']}, "
        f"refresh {entry['refresh']}, queue {entry['read_queue']} (simulated)"
    )
    print(
        f"  {entry['requests']} requests in {entry['ticks']} ticks = {entry['time_us']:.3f} us, "
        f"{entry['bandwidth_gbps']:.2f} of {entry['peak_gbps']} GB/s"
    )
    print(
        f"  row hits {entry['row_hits']}, misses {entry['row_misses']}, "
        f"conflicts {entry['row_conflicts']}; read latency mean {latency['mean']:.1f} ns, "
        f"p99 {latency['p99']:.1f} ns; energy {entry['energy_nj']['total'] / 1000:.2f} uJ"
    )
    print("  " + ", ".join(f"{name} {count}" for name, count in entry["commands"].items()))
