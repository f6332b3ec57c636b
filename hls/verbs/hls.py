"""``m3vit hls``: the layers as Vitis HLS kernels, generated, simulated, synthesised, reported."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _generate(actions.add_parser("generate", help="write the project of one layer"))
    _csim(actions.add_parser("csim", help="layers in C simulation against the package's record"))
    synth = actions.add_parser("synth", help="synthesise a project (needs Vitis HLS)")
    synth.add_argument("project", type=Path, help="directory that `generate` wrote")
    report = actions.add_parser("report", help="a csynth report as a result record")
    report.add_argument("path", type=Path, help="project directory, csynth.xml or _csynth.rpt")
    _estimate(actions.add_parser("estimate", help="cycles and memories from the loops"))
    ranges = actions.add_parser("ranges", help="what every stage holds against its format")
    _package(ranges)
    ranges.add_argument("--plot", type=Path, metavar="FILE", help="picture to write (.png, .svg)")
    _table(actions.add_parser("table", help="the paper's comparison: reordered or not"))
    tables = actions.add_parser("tables", help="write templates/tables.h from the contract")
    for action in (synth, report, ranges, tables):
        action.add_argument("--json", action="store_true", help="print JSON")


def _package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--package", type=Path, required=True, help="package directory")
    parser.add_argument("--layer", action="append", help="layer, e.g. block1.moe (default: all)")


def _parallelism(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--unroll", type=int, default=1, help="steps multiplied a cycle: 1 2 4 8")
    parser.add_argument("--lanes", type=int, default=4, help="channels a cycle elsewhere")
    parser.add_argument("--word-bytes", type=int, default=16, help="width of the weight port")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--package", type=Path, required=True, help="package directory")
    parser.add_argument("--layer", required=True, help="layer, e.g. block1.moe or block1.gate")
    parser.add_argument("--out", type=Path, required=True, help="project directory to write")
    _parallelism(parser)


def _csim(parser: argparse.ArgumentParser) -> None:
    _package(parser)
    parser.add_argument("--out", type=Path, default=Path("build/hls"), help="where projects go")
    _parallelism(parser)


def _estimate(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--package", type=Path, help="package directory: its recorded routing")
    source.add_argument("--model", help="preset, with balanced queues (see `m3vit presets`)")
    parser.add_argument("--machine", default="zcu104", help="order of weights for --model")
    parser.add_argument("--records", action="store_true", help="print result records, all layers")
    _rtl(parser, "cycles that the RTL counted beside them (`m3vit run --device rtl --profile`)")
    _parallelism(parser)


def _rtl(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--rtl", type=Path, metavar="PROFILE.json", help=text)


def _table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="preset of the trace (default: the README's)")
    parser.add_argument("--trace", type=Path, help="routing that `m3vit run --trace` wrote")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--write", action="store_true", help="bring hls/README.md up to date")
    change.add_argument("--check", action="store_true", help="exit 2 if hls/README.md is not")
    _rtl(parser, "counted cycles to --write (default: those that are there stay)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run the action."""
    from m3vit.hls.actions import ACTIONS

    return ACTIONS[args.action](args)
