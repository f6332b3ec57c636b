"""``m3vit simulate``: mixtures of experts on processors, near-memory units and links."""

import argparse
import json
from pathlib import Path
from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; names are checked against their tables when the verb runs."""
    parser.add_argument("--machine", default="duplex", help="gpu, duplex, bank-pim, monde, ...")
    parser.add_argument("--workload", default="mixtral", help="network: mixtral, glam, ...")
    parser.add_argument("--batch", type=int, default=32, help="sequences, or tokens a block")
    parser.add_argument("--context", type=float, default=1024.0, help="cached tokens a sequence")
    parser.add_argument("--prefill", type=int, default=0, help="tokens of a sequence that joins")
    parser.add_argument("--devices", type=int, help="devices of a decoding system")
    parser.add_argument("--policy", default="on-demand", help="who loads what: lru, monde, ...")
    parser.add_argument("--routing", default="uniform", help="uniform, zipf, task-skewed, ...")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="recorded routing instead")
    parser.add_argument("--tasks", type=int, default=1, help="tasks that take turns")
    parser.add_argument("--passes", type=int, default=20, help="runs through all blocks")
    parser.add_argument("--slots", type=int, default=16, help="experts that the processor holds")
    parser.add_argument("--dense-us", type=float, help="a block beside its experts (computed)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="records that set our rates")
    parser.add_argument("--json", action="store_true", help="print one record a line and task")
    parser.add_argument("--details", action="store_true", help="print all that the run gave, JSON")


def run(args: argparse.Namespace) -> int:
    """Simulate and print; unknown names are one line and exit code 2."""
    from m3vit.hw.errors import ConfigurationError
    from m3vit.sim.system.presets import DecodeSystem, decode_record, find_system

    system = find_system(args.machine)
    if isinstance(system, DecodeSystem):
        if args.record:
            raise ConfigurationError("--record sets the rates of zcu104, not of decoding systems")
        record = decode_record(
            args.machine, args.workload, args.batch, args.context, args.devices, args.prefill
        )
    else:
        record = _offload(args)
    if args.details:
        print(json.dumps(record, indent=1))
    elif args.json:
        for line in _lines(record):
            print(line.to_json())
    else:
        print(_text(record))
    return 0


def _lines(record: dict[str, Any]) -> list[Any]:
    from m3vit.sim.system.records import decode_line, offload_lines

    return [decode_line(record)] if "step_ms" in record else offload_lines(record)


def _offload(args: argparse.Namespace) -> dict[str, Any]:
    from m3vit.hw.errors import ConfigurationError
    from m3vit.sim.system.presets import offload_record
    from m3vit.sim.system.shapes import find_shape
    from m3vit.sim.system.workload import generated, recorded

    shape = find_shape(args.workload)
    if args.trace:
        steps = recorded(args.trace)
        experts = {len(step.tokens) for step in steps}
        if experts != {shape.experts}:
            raise ConfigurationError(
                f"the trace has {sorted(experts)} experts a block, {shape.name} has {shape.experts}"
            )
    else:
        steps = generated(
            args.routing,
            passes=args.passes,
            blocks=shape.moe_layers,
            experts=shape.experts,
            top_k=shape.top_k,
            tokens=args.batch,
            tasks=args.tasks,
        )
    dense_ns = None if args.dense_us is None else args.dense_us * 1000
    record = offload_record(
        args.machine, shape.name, args.policy, steps, args.slots, dense_ns, args.record
    )
    return record | {"routing": str(args.trace) if args.trace else args.routing}


def _text(record: dict[str, Any]) -> str:
    head = f"{record['machine']}, {record['workload']} (simulated)"
    if "step_ms" in record:
        stages = ", ".join(f"{name} {value:.3f}" for name, value in record["times_ms"].items())
        return (
            f"{head}: {record['scope']}, batch {record['batch']}, context {record['context']:g}\n"
            f"  {record['step_ms']:.3f} ms a step ({stages}), "
            f"{record['tokens_per_s']:.0f} tokens/s, {record['mj_per_token']:.2f} mJ a token"
        )
    return (
        f"{head}: policy {record['policy']}, routing {record['routing']}, {record['slots']} slots\n"
        f"  {record['block_us']:.1f} us a block, {record['total_ms']:.3f} ms in all, "
        f"{record['over_bound']:.2f} x the bound; {record['loads']} loads, "
        f"{record['preloads']} preloads, {record['hits']} hits, {record['near']} near memory\n"
        f"  rates: {record['rates']}"
    )
