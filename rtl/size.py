"""Size of every block of a machine by open synthesis, against the last committed baseline.

``python -m m3vit.rtl.size`` prints the table; ``--update`` writes the baseline rtl/size.json.
LUT, FF, DSP and memory counts are those of Yosys; place and route has not been done.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType

from amaranth.lib.wiring import Component

from m3vit.hw.files import write_json
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.rtl.accumulator import Accumulator
from m3vit.rtl.activations import Activations
from m3vit.rtl.array import Array
from m3vit.rtl.attention_nest import AttentionNest
from m3vit.rtl.axi_read import AxiRead
from m3vit.rtl.axi_write import AxiWrite
from m3vit.rtl.checks import Checks
from m3vit.rtl.column import FIELD_BITS
from m3vit.rtl.counters import Counters
from m3vit.rtl.gate_bank import GateBank
from m3vit.rtl.gelu import Gelu
from m3vit.rtl.gemm_nest import GemmNest
from m3vit.rtl.group import Group
from m3vit.rtl.issue import Issue
from m3vit.rtl.key_value import KeyValue
from m3vit.rtl.layernorm import LayerNorm
from m3vit.rtl.library import convert
from m3vit.rtl.lists import ExpertLists
from m3vit.rtl.loader import Loader
from m3vit.rtl.netlist import Size
from m3vit.rtl.operand import Operand
from m3vit.rtl.plan import PlanStore
from m3vit.rtl.progress import Progress
from m3vit.rtl.query import QueryBlock
from m3vit.rtl.registers import Registers
from m3vit.rtl.requantise import Requantise
from m3vit.rtl.residual import ResidualAdd
from m3vit.rtl.residual_store import ResidualStore
from m3vit.rtl.results import Results, depth_of
from m3vit.rtl.retire import Retire
from m3vit.rtl.ring import Ring
from m3vit.rtl.rowfactor import RowFactor
from m3vit.rtl.rowmax import RowMaximum
from m3vit.rtl.run_control import RunControl
from m3vit.rtl.scores import Scores
from m3vit.rtl.softmax import Softmax
from m3vit.rtl.synthesis import synthesise
from m3vit.rtl.token_order import TokenOrder
from m3vit.rtl.value_sums import ValueSums
from m3vit.rtl.weigh import Weigh

BASELINE = Path(__file__).with_name("size.json")
CHIP = Size(lut=230_400, lutram=101_760, ff=460_800, dsp=1728, bram36=312, uram=96)
"""XCZU7EV."""

GATE_SLOTS = 2
RESIDUAL_LANES = 16
LAYERNORM_LANES = 16
"""With 32 the chip's DSPs do not suffice; a token then takes twice the cycles (see DESIGN)."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """How a block is made for a machine, and how many of it there are.

    ``inside``: the block of this table that holds it, whose size counts it already.
    """

    make: Callable[[MachineConfig], Component]
    times: Callable[[MachineConfig], int] = lambda machine: 1
    inside: str = ""


def _limits(machine: MachineConfig) -> dict[str, int]:
    return {
        "max_tokens": machine.max_tokens,
        "max_experts": machine.max_experts,
        "top_k": machine.max_top_k,
    }


def _accumulator(machine: MachineConfig) -> Accumulator:
    return Accumulator(
        columns=machine.columns,
        sum_bits=FIELD_BITS + (machine.chains - 1).bit_length(),
        pairs=machine.accumulator_pairs,
    )


def _groups(machine: MachineConfig) -> int:
    return machine.groups


def _rows(machine: MachineConfig) -> int:
    return 2 * machine.groups


BLOCKS: Mapping[str, Block] = MappingProxyType(
    {
        "group": Block(
            make=lambda m: Group(rows=m.rows, columns=m.columns), times=_groups, inside="array"
        ),
        "accumulator": Block(make=_accumulator, times=_groups, inside="array"),
        "requantise": Block(make=lambda m: Requantise(m.columns), times=_groups, inside="array"),
        "gelu": Block(make=lambda m: Gelu(m.columns), times=_groups, inside="array"),
        "scores": Block(make=lambda m: Scores(m.columns), times=_groups, inside="array"),
        "rowmax": Block(
            make=lambda m: RowMaximum(columns=m.columns, pairs=m.accumulator_pairs),
            times=_groups,
            inside="array",
        ),
        "softmax": Block(
            make=lambda m: Softmax(rows=m.rows, pairs=m.accumulator_pairs),
            times=_groups,
            inside="operand",
        ),
        "rowfactor": Block(
            make=lambda m: RowFactor(
                rows=m.rows, pairs=m.accumulator_pairs, max_tokens=m.max_tokens
            ),
            times=_rows,
            inside="array",
        ),
        "weigh": Block(make=lambda m: Weigh(RESIDUAL_LANES), times=lambda m: 2, inside="retire"),
        "residual": Block(
            make=lambda m: ResidualAdd(RESIDUAL_LANES), times=lambda m: 2, inside="retire"
        ),
        "layernorm": Block(make=lambda m: LayerNorm(size=LAYERNORM_LANES, max_width=m.max_width)),
        "gate_bank": Block(
            make=lambda m: GateBank(
                panel=m.panel // 2,
                max_experts=m.max_experts,
                max_top_k=m.max_top_k,
                pair_bits=(m.max_tokens // 2 - 1).bit_length(),
                slots=GATE_SLOTS,
            )
        ),
        "array": Block(make=Array),
        "operand": Block(make=Operand),
        "retire": Block(make=Retire),
        "results": Block(make=Results),
        "loader": Block(make=lambda m: Loader(m, Operand.LATENCY)),
        "issue": Block(make=lambda m: Issue(m, depth_of(m))),
        "query": Block(make=QueryBlock),
        "ring": Block(make=Ring),
        "activations": Block(make=Activations, times=lambda m: 2),
        "residual_store": Block(make=ResidualStore),
        "key_value": Block(make=KeyValue, times=_groups),
        "value_sums": Block(make=ValueSums),
        "gemm_nest": Block(make=GemmNest),
        "attention_nest": Block(make=AttentionNest),
        "progress": Block(make=lambda m: Progress()),
        "plan": Block(make=lambda m: PlanStore(**_limits(m))),
        "lists": Block(make=lambda m: ExpertLists(**_limits(m))),
        "token_order": Block(make=TokenOrder),
        "registers": Block(make=Registers),
        "counters": Block(make=lambda m: Counters()),
        "axi_read": Block(
            make=lambda m: AxiRead(data_bits=m.port_bits), times=lambda m: m.memory_ports
        ),
        "axi_write": Block(make=lambda m: AxiWrite(data_bits=m.port_bits)),
        "checks": Block(make=Checks),
        "run_control": Block(make=lambda m: RunControl()),
    }
)


def measure_blocks(machine: MachineConfig, names: list[str]) -> dict[str, Size]:
    """Size of one of each named block; progress on stderr."""
    cache: dict[str, tuple[Size, Counter[str]]] = {}
    sizes = {}
    for number, name in enumerate(names, 1):
        print(f"[{number}/{len(names)}] {name}", file=sys.stderr)
        design = convert(BLOCKS[name].make(machine), f"{name}_top")
        sizes[name] = synthesise(design, cache)
    return sizes


def table(machine: MachineConfig, sizes: Mapping[str, Size], old: Mapping[str, Size]) -> str:
    """One line a block, the sum over the machine, its share of the chip."""
    columns = [field.name for field in fields(Size)]
    head = f"{'block':12} {'x':>2} " + " ".join(f"{name:>8}" for name in columns)
    lines, total = [head + "   LUT against baseline"], Size()
    for name, size in sizes.items():
        times = BLOCKS[name].times(machine)
        total = total.plus(size, 0 if BLOCKS[name].inside else times)
        cells = " ".join(f"{getattr(size, column):>8g}" for column in columns)
        change = f"{size.lut - old[name].lut:+d}" if name in old else "new"
        lines.append(f"{name:12} {times:>2} {cells}   {change}")
    cells = " ".join(f"{getattr(total, column):>8g}" for column in columns)
    lines.append(f"{'sum':12} {'':2} {cells}")
    shares = (
        f"{100 * getattr(total, column) / getattr(CHIP, column):>7.1f}%"
        if getattr(CHIP, column)
        else " " * 8
        for column in columns
    )
    return "\n".join([*lines, f"{'of XCZU7EV':12} {'':2} " + " ".join(shares)])


def read_baseline(machine: MachineConfig) -> dict[str, Size]:
    """Sizes of the last committed run for ``machine``; none if there was no such run."""
    if not BASELINE.exists():
        return {}
    stored = json.loads(BASELINE.read_text()).get(machine.name, {})
    return {name: Size(**values) for name, values in stored.items()}


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="m3vit.rtl.size", description=__doc__)
    parser.add_argument("blocks", nargs="*", help=f"some of: {', '.join(BLOCKS)} (default all)")
    parser.add_argument("--machine", default="zcu104", help="machine preset")
    parser.add_argument("--update", action="store_true", help=f"write {BASELINE.name}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.blocks) - set(BLOCKS))
    if unknown:
        parser.error(f"unknown blocks {', '.join(unknown)}")
    machine = machine_preset(chosen.machine)
    old = read_baseline(machine)
    sizes = measure_blocks(machine, chosen.blocks or list(BLOCKS))
    plain = {name: asdict(size) for name, size in sizes.items()}
    print(json.dumps(plain, indent=1) if chosen.json else table(machine, sizes, old))
    if chosen.update:
        merged = {name: asdict(size) for name, size in old.items()} | plain
        whole = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
        print(f"wrote {write_json(BASELINE, whole | {machine.name: merged})}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
