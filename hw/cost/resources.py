"""DSP, BRAM36, URAM, LUT and FF of a machine, unit by unit, by formula.

LUT and FF per element come from synthesised prototypes (Yosys, ``synth_xilinx -family xcup``)
where the source says so, else from hand counts: some +-30 %.  DSP and memory blocks are structure.
Nothing here was placed or routed; evidence kind ``modelled``.
"""

from dataclasses import dataclass
from typing import NamedTuple

from m3vit.hw.cost.stores import stores
from m3vit.hw.machine import CASCADE, MachineConfig

ACCUMULATOR_BITS = 27
LUTRAM_BITS = 144 / (21 * 8)
"""Bits of a 64-word memory in one LUT: 21 RAM64M8 (8 LUT each) hold 144 bits x 64 (prototype)."""
LUTRAM_WORDS = 64

_PROTOTYPE = "synthesised prototype"
_HAND = "hand count"


class Resources(NamedTuple):
    """Counts of the five kinds of cells."""

    dsp: int = 0
    bram36: int = 0
    uram: int = 0
    lut: int = 0
    ff: int = 0

    def plus(self, other: "Resources") -> "Resources":
        """Sum by kind."""
        return Resources(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, kw_only=True)
class UnitResources:
    """One unit of the machine, what it takes and why one believes it."""

    unit: str
    count: Resources
    source: str


def _lutram(bits: int, words: int = LUTRAM_WORDS) -> int:
    return round(bits * -(-words // LUTRAM_WORDS) / LUTRAM_BITS)


def _unit(unit: str, source: str, **counts: int) -> UnitResources:
    return UnitResources(unit=unit, count=Resources(**counts), source=source)


def _matrix_units(machine: MachineConfig) -> list[UnitResources]:
    panel, chains, results = machine.panel, machine.chains, 2 * machine.panel
    operand_bits = machine.groups * machine.rows * 2 * 8
    skew = 10 * machine.groups * machine.rows
    accumulator = results * ACCUMULATOR_BITS
    return [
        _unit(
            "array",
            f"{_PROTOTYPE}: a column of c cascades of {CASCADE} takes 37c+16 LUT, 39c+14 FF",
            dsp=machine.multipliers,
            lut=panel * (37 * chains + 16) + skew,
            ff=panel * (39 * chains + 14),
        ),
        _unit(
            "accumulators",
            f"{_PROTOTYPE} of the LUTRAM, {_HAND} of the bypass",
            lut=_lutram(accumulator, machine.accumulator_pairs) + accumulator,
            ff=accumulator,
        ),
        _unit("query block", f"{_HAND}: double LUTRAM", lut=_lutram(2 * operand_bits)),
        _unit(
            "requantisation",
            f"{_PROTOTYPE}: DSP lane with run-time shift, 119 LUT, 67 FF",
            dsp=machine.requantise_lanes,
            lut=119 * machine.requantise_lanes,
            ff=67 * machine.requantise_lanes,
        ),
        _unit(
            "pipeline registers",
            f"{_HAND}: 12 stages of results, 6 of operands, 2 levels of fan-out",
            ff=12 * accumulator + 8 * operand_bits,
        ),
    ]


def _attention_units(machine: MachineConfig) -> list[UnitResources]:
    results, trees = 2 * machine.panel, 2 * machine.groups
    return [
        _unit(
            "scores",
            f"{_PROTOTYPE}: shift lane 14 LUT; maximum tree 17 LUT a 10-bit comparator",
            lut=14 * results + 17 * trees * (machine.columns - 1),
            ff=10 * results + 10 * trees * machine.columns,
        ),
        _unit(
            "exponentials",
            f"{_PROTOTYPE}: lane with table, shift and sum 82 LUT, 67 FF",
            lut=82 * machine.exponential_lanes,
            ff=67 * machine.exponential_lanes,
        ),
        _unit(
            "GELU",
            f"{_PROTOTYPE}: writable 256 x 8 table 32 LUT, two a lane",
            lut=64 * machine.requantise_lanes,
            ff=8 * machine.requantise_lanes,
        ),
    ]


def _residual_units(machine: MachineConfig) -> list[UnitResources]:
    fifo = 2 * machine.panel * 18
    return [
        _unit(
            "LayerNorm",
            f"{_PROTOTYPE}: lane of square, normalise and gamma: 3 DSP, 148 LUT, 435 FF",
            dsp=3 * machine.layernorm_lanes,
            lut=148 * machine.layernorm_lanes + 187,
            ff=435 * machine.layernorm_lanes + 138,
        ),
        _unit(
            "weighted combination",
            f"{_HAND}: 1 DSP and 16 LUT a lane, FIFO of 64 pairs in LUTRAM",
            dsp=machine.combine_lanes,
            lut=16 * machine.combine_lanes + _lutram(fifo),
            ff=40 * machine.combine_lanes + fifo,
        ),
        _unit(
            "variance, row factors",
            f"{_HAND}: C*S2 - S1^2, reciprocal times gain, gate weight",
            dsp=8,
            lut=800,
            ff=1200,
        ),
    ]


def _control_units(machine: MachineConfig) -> list[UnitResources]:
    return [
        _unit(
            "gate, plan, queues",
            f"{_PROTOTYPE}: four serial top-K lists of 436 LUT; {_HAND} of the scan",
            lut=4 * 436 + 1256,
            ff=4 * 332 + 1500,
        ),
        _unit(
            "store selectors",
            f"{_HAND}: 250 LUT a column of the panel",
            lut=250 * machine.panel,
            ff=300 * machine.panel,
        ),
        _unit(
            "memory ports, fetch",
            f"{_HAND}: 2250 LUT, 3500 FF a port",
            lut=2250 * machine.memory_ports,
            ff=3500 * machine.memory_ports,
        ),
        _unit("control, registers", _HAND, lut=8000, ff=9000),
    ]


def _memories(machine: MachineConfig, has_uram: bool) -> list[UnitResources]:
    return [
        _unit(
            store.name,
            f"structure: {store.copies} x {store.depth} x {store.width} bit; {store.why}",
            **({"uram": store.uram} if store.large and has_uram else {"bram36": store.bram36}),
        )
        for store in stores(machine)
    ]


def units(machine: MachineConfig, *, has_uram: bool = True) -> tuple[UnitResources, ...]:
    """Every unit of ``machine``; without URAM its stores are built of BRAM36."""
    return (
        *_matrix_units(machine),
        *_attention_units(machine),
        *_residual_units(machine),
        *_control_units(machine),
        *_memories(machine, has_uram),
    )


def resources(machine: MachineConfig, *, has_uram: bool = True) -> Resources:
    """Sum over :func:`units`."""
    total = Resources()
    for unit in units(machine, has_uram=has_uram):
        total = total.plus(unit.count)
    return total
