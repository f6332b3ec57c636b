"""The actions of ``m3vit hls``."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from m3vit.hls.csynth import find_report, read_report
from m3vit.hls.estimate_table import package_rows, preset_rows, render
from m3vit.hls.from_package import gate_layer_of, layer_of, layers_of
from m3vit.hls.layer import HlsLayer, Kind, Parallelism
from m3vit.hls.package_csim import check_layer, recorded
from m3vit.hls.project import MANIFEST, generate, read_project
from m3vit.hls.ranges import ranges_of
from m3vit.hls.readme import MODEL, check, table_text, write
from m3vit.hls.records import estimate_records, kernel_macs
from m3vit.hls.rtl_profile import read_rtl_profile
from m3vit.hls.synth import synthesise
from m3vit.hls.tables import write_tables
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import machine_preset
from m3vit.hw.package import Package, read_package
from m3vit.hw.presets import model_preset
from m3vit.hw.record_table import render_table, text_table


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parallelism(args: argparse.Namespace) -> Parallelism:
    return Parallelism(unroll=args.unroll, lanes=args.lanes, word_bytes=args.word_bytes)


def _named(package: Package, name: str) -> HlsLayer:
    block, _, kind = name.partition(".")
    if kind == Kind.GATE.value:
        return gate_layer_of(layer_of(package, f"{block}.{Kind.MOE.value}"))
    return layer_of(package, name)


def _chosen(args: argparse.Namespace, package: Package) -> list[HlsLayer]:
    if args.layer:
        return [_named(package, name) for name in args.layer]
    return list(layers_of(package))


def _generate(args: argparse.Namespace) -> int:
    package = read_package(args.package)
    path = generate(_named(package, args.layer), args.out, _parallelism(args))
    project = read_project(path)
    said = {"project": str(path), "layer": project.name, "top": project.top, "part": project.part}
    print(json.dumps(said) if args.json else f"wrote {path}: {project.top} for {project.part}")
    return 0


def _csim(args: argparse.Namespace) -> int:
    package = read_package(args.package)
    golden, parallelism = package.golden(), _parallelism(args)
    layers = _chosen(args, package)
    checks = [check_layer(layer, golden, args.out, parallelism, _say) for layer in layers]
    if args.json:
        print(json.dumps([check.to_dict() for check in checks]))
    else:
        for result in checks:
            said = str(result.difference or f"all {result.integers} integers equal")
            print(f"{result.layer}: {result.calls} calls, {said}")
        print(f"wrote {args.out}")
    return 0 if all(result.difference is None for result in checks) else 1


def _synth(args: argparse.Namespace) -> int:
    log = synthesise(args.project)
    print(json.dumps({"log": str(log)}) if args.json else f"wrote {log}")
    return 0


def _report(args: argparse.Namespace) -> int:
    report = read_report(find_report(args.path))
    name, tokens, macs = report.top, 0, None
    if (args.path / MANIFEST).is_file():
        project = read_project(args.path)
        name, tokens = project.name, project.constants["tokens"]
        macs = kernel_macs(project.kind, project.constants)
    record = report.to_record(name, tokens, macs)
    if args.json:
        print(record.to_json())
        return 0
    print(render_table([record], ("model", "task", "cycles", "clock_mhz", "latency_ms")))
    used = ((cell, str(n), str(report.available[cell])) for cell, n in report.cells.items())
    print("\n" + text_table([("cells", "used", report.part), *used], (False, True, True)))
    return 0


def _estimate(args: argparse.Namespace) -> int:
    chosen = _parallelism(args)
    counted = read_rtl_profile(args.rtl) if args.rtl else None
    if args.package:
        package = read_package(args.package)
        config, machine = package.config, package.machine
        rows = package_rows(package, chosen, counted)
    else:
        config, machine = model_preset(args.model), machine_preset(args.machine)
        rows = preset_rows(args.model, args.machine, chosen, counted)
    if args.records:
        digest = counted.digest if counted else ""
        for record in estimate_records(config, machine, rows, chosen, digest):
            print(record.to_json())
        return 0
    print(json.dumps([row.to_dict() for row in rows]) if args.json else render(rows))
    return 0


def _ranges(args: argparse.Namespace) -> int:
    package = read_package(args.package)
    golden = package.golden()
    found = [
        entry
        for layer in _chosen(args, package)
        for entry in ranges_of(layer, recorded(golden, layer)[0])
    ]
    if args.json:
        print(json.dumps([entry.to_dict() for entry in found]))
    else:
        head = ("layer", "stage", "format", "bits used", "smallest", "largest", "at the limits")
        rows = [
            (e.layer, e.stage, f"int{e.bits}", str(e.bits_used), str(e.smallest), str(e.largest))
            + (f"{e.limited:.3%}",)
            for e in found
        ]
        print(text_table([head, *rows], (False, False, False, True, True, True, True)))
    if args.plot:
        from m3vit.hls.range_plot import plot_ranges

        _say(f"wrote {plot_ranges(found, args.plot)}")
    return 0


def _table(args: argparse.Namespace) -> int:
    if (args.write or args.check) and (args.model or args.trace):
        raise ConfigurationError("the README's table has its own model and trace; leave both out")
    if args.rtl and not args.write:
        raise ConfigurationError("--rtl goes into the README's table; use it with --write")
    if args.check:
        check()
        said = "hls/README.md is up to date"
    elif args.write:
        said = f"wrote {write(read_rtl_profile(args.rtl) if args.rtl else None)}"
    else:
        said = table_text(args.model or MODEL, trace=args.trace)
    print(json.dumps({"text": said}) if args.json else said)
    return 0


def _tables(args: argparse.Namespace) -> int:
    path = write_tables()
    print(json.dumps({"path": str(path)}) if args.json else f"wrote {path}")
    return 0


ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = MappingProxyType(
    {
        "generate": _generate,
        "csim": _csim,
        "synth": _synth,
        "report": _report,
        "estimate": _estimate,
        "ranges": _ranges,
        "table": _table,
        "tables": _tables,
    }
)
"""By name."""
