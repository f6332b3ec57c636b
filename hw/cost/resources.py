"""DSP, BRAM36, URAM, LUT and FF of a machine, unit by unit.

LUT and FF are those of the RTL's blocks by open synthesis, scaled where the shape is another than
the one synthesised (``synthesised``): some +-30 % then.  DSP and memory blocks follow from the
structure.  Nothing here was placed or routed; evidence kind ``modelled``.
"""

from dataclasses import dataclass
from typing import NamedTuple

from m3vit.hw.cost.stores import RESIDUAL_CHANNELS, Store, stores
from m3vit.hw.cost.synthesised import BLOCKS, Block, requantise_lanes
from m3vit.hw.machine import MachineConfig


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
    """One unit of the machine, what it takes and why one believes it.

    ``blocks``: the blocks of rtl/size.json that it stands for.
    """

    unit: str
    blocks: tuple[str, ...]
    count: Resources
    source: str


def _dsps(machine: MachineConfig) -> dict[str, int]:
    """By block: packed multipliers, and one a lane that multiplies."""
    return {
        "column": machine.multipliers,
        "requantise": requantise_lanes(machine),
        "rowfactor": 2 * machine.groups,
        "layernorm": machine.layernorm_lanes + 2,  # squares, and S1^2 in two parts
        "layernorm_lane": machine.layernorm_lanes,
        "weigh": 2 * RESIDUAL_CHANNELS,
    }


def _source(machine: MachineConfig, blocks: list[Block], memories: list[Store]) -> str:
    names = ", ".join(block.name for block in blocks)
    text = f"synthesised: {'blocks' if len(blocks) > 1 else 'block'} {names} of rtl/size.json"
    if any(block.scales(machine) != (1, 1) for block in blocks):
        text += ", LUT and FF scaled +-30 %"
    return "; ".join(
        [text, *(f"{s.name} {s.copies} x {s.depth} x {s.width} bit: {s.why}" for s in memories)]
    )


def _unit(machine: MachineConfig, unit: str, has_uram: bool) -> UnitResources:
    blocks = [block for block in BLOCKS if block.unit == unit]
    names = tuple(block.name for block in blocks)
    memories = [store for store in stores(machine) if store.block in names]
    ultra = [store for store in memories if store.large and has_uram]
    counts = [block.cells(machine) for block in blocks]
    dsps = _dsps(machine)
    return UnitResources(
        unit=unit,
        blocks=names,
        count=Resources(
            dsp=sum(dsps.get(name, 0) for name in names),
            bram36=sum(store.bram36 for store in memories if store not in ultra),
            uram=sum(store.uram for store in ultra),
            lut=round(sum(lut for lut, _ in counts)),
            ff=round(sum(ff for _, ff in counts)),
        ),
        source=_source(machine, blocks, memories),
    )


def units(machine: MachineConfig, *, has_uram: bool = True) -> tuple[UnitResources, ...]:
    """Every unit of ``machine``; without URAM its stores are built of BRAM36."""
    names = dict.fromkeys(block.unit for block in BLOCKS)
    return tuple(_unit(machine, name, has_uram) for name in names)


def resources(machine: MachineConfig, *, has_uram: bool = True) -> Resources:
    """Sum over :func:`units`."""
    total = Resources()
    for unit in units(machine, has_uram=has_uram):
        total = total.plus(unit.count)
    return total
