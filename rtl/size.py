"""Size of a whole machine by open synthesis, block by block, against the last committed baseline.

``python -m m3vit.rtl.size`` prints the table; ``--update`` writes the baseline rtl/size.json.
LUT, FF, DSP and memory counts are those of Yosys; place and route has not been done.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from m3vit.hw.files import write_json
from m3vit.hw.machine import MachineConfig
from m3vit.hw.machine_file import find_machine
from m3vit.rtl.measure import Row, measure
from m3vit.rtl.size_blocks import BLOCKS

BASELINE = Path(__file__).with_name("size.json")
LIMITS: Mapping[str, float] = {
    "lut": 0.7 * 230_400,
    "lutram": 101_760,
    "ff": 460_800,
    "dsp": 1728,
    "bram36": 312,
    "uram": 96,
    "levels": 8,
}
"""XCZU7EV, at most 70 % of its LUTs, and LUTs between two registers."""

_COLUMNS = {name: 7 for name in ("lut", "lutram", "ff", "dsp", "bram36", "uram", "levels", "logic")}
_WIDTHS = _COLUMNS | {"bram36": 6, "dsp": 5, "uram": 5, "levels": 6, "logic": 5}


def total(rows: Mapping[str, Row]) -> Row:
    """The machine: sums, and the longest path of any block."""
    found = Row(times=1)
    for row in rows.values():
        found = found.plus(row)
    return found


def table(rows: Mapping[str, Row], old: Mapping[str, Row]) -> str:
    """One line a block (all its units together), the sum, the limits and the shares of them."""
    names = {"lut": "LUT", "lutram": "as RAM", "ff": "FF", "dsp": "DSP", "bram36": "BRAM36"}
    head = " ".join(f"{names.get(c, c):>{_WIDTHS[c]}}" for c in _COLUMNS)
    lines = [f"{'block':17} {'x':>3} {head.replace('uram', 'URAM')}   LUT, levels against baseline"]
    for name, row in sorted(rows.items()):
        lines.append(f"{name:17} {row.times:>3} {_cells(row)}   {_change(row, old.get(name))}")
    whole = total(rows)
    change = _change(whole, total(old) if old else None)
    lines.append(f"{'sum':17} {'':3} {_cells(whole)}   {change}")
    limits = " ".join(
        f"{LIMITS.get(c, 0) or '':>{_WIDTHS[c]}.6g}" if c in LIMITS else "" for c in _COLUMNS
    )
    lines.append(f"{'limit':17} {'':3} {limits}")
    shares = " ".join(
        f"{100 * getattr(whole, c) / LIMITS[c]:>{_WIDTHS[c] - 1}.0f}%" if c in LIMITS else ""
        for c in _COLUMNS
    )
    return "\n".join([*lines, f"{'share of limit':17} {'':3} {shares}"])


def _cells(row: Row) -> str:
    return " ".join(f"{getattr(row, c):>{_WIDTHS[c]}g}" for c in _COLUMNS)


def _change(row: Row, old: Row | None) -> str:
    return "new" if old is None else f"{row.lut - old.lut:+d}, {row.levels - old.levels:+d}"


def read_baseline(machine: MachineConfig) -> dict[str, Row]:
    """Rows of the last committed run for ``machine``; none if there was no such run."""
    if not BASELINE.exists():
        return {}
    stored = json.loads(BASELINE.read_text()).get(machine.name, {})
    return {name: Row(**values) for name, values in stored.items()}


def excesses(rows: Mapping[str, Row]) -> list[str]:
    """What is above its limit, a line each."""
    whole = total(rows)
    found = [
        f"{name}: {getattr(whole, name):g} of {limit:g}"
        for name, limit in LIMITS.items()
        if name != "levels" and getattr(whole, name) > limit
    ]
    deep = [(name, row) for name, row in rows.items() if row.levels > LIMITS["levels"]]
    return found + [f"{name}: {r.levels} levels: {' > '.join(r.path)}" for name, r in deep]


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="m3vit.rtl.size", description=__doc__)
    parser.add_argument("--machine", default="zcu104", help="preset, or a .json or .toml file")
    parser.add_argument("--update", action="store_true", help=f"write {BASELINE.name}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--paths",
        nargs="*",
        default=[],
        choices=BLOCKS,
        metavar="BLOCK",
        help="blocks whose longest path to name",
    )
    chosen = parser.parse_args(arguments)
    machine = find_machine(chosen.machine)
    home = Path(os.environ.get("M3VIT_BUILD", "build")).resolve() / "size"
    rows = measure(machine, home)
    plain = {name: asdict(row) for name, row in rows.items()}
    print(json.dumps(plain, indent=1) if chosen.json else table(rows, read_baseline(machine)))
    for name in chosen.paths:
        print(f"{name}: {' > '.join(rows[name].path)}")
    if chosen.update:
        whole = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
        print(f"wrote {write_json(BASELINE, whole | {machine.name: plain})}", file=sys.stderr)
    above = excesses(rows)
    verdict = "\n".join(f"above the limit: {line}" for line in above) or "all within the limits"
    print(verdict, file=sys.stderr if chosen.json else sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
