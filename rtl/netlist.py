"""Counts and path lengths of a module mapped by open synthesis (a Yosys JSON netlist)."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LUTS_OF_RAM = {
    "RAM32M": 4,
    "RAM32M16": 8,
    "RAM64M": 4,
    "RAM64M8": 8,
    "RAM32X1S": 1,
    "RAM32X1D": 2,
    "RAM64X1S": 1,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "RAM256X1D": 8,
    "RAM512X1S": 8,
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
}
_LUT = re.compile(r"LUT[1-6]$|INV$")
_BLOCKS = {"RAMB36E2": ("bram36", 1.0), "RAMB18E2": ("bram36", 0.5), "URAM288": ("uram", 1.0)}
_SEQUENTIAL = re.compile(r"FD|LD|DSP48|RAMB|URAM|SRL")
"""Cells at which a path ends; the asynchronous read of LUTRAM is a level."""

_CLOCKS = {"C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"}


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one module needs."""

    lut: int = 0
    """LUTs, those used as memory or shift registers among them."""
    lutram: int = 0
    ff: int = 0
    dsp: int = 0
    bram36: float = 0.0
    uram: int = 0
    levels: int = 0
    """LUTs in a row between two registers, at most."""
    carries: int = 0
    """CARRY8 in a row on one path, at most (every CARRY4 of open synthesis is half of one)."""

    def plus(self, other: "Size", times: int = 1) -> "Size":
        """This and ``times`` of ``other`` inside it; paths end at a block's registers."""
        return Size(
            lut=self.lut + times * other.lut,
            lutram=self.lutram + times * other.lutram,
            ff=self.ff + times * other.ff,
            dsp=self.dsp + times * other.dsp,
            bram36=self.bram36 + times * other.bram36,
            uram=self.uram + times * other.uram,
            levels=max(self.levels, other.levels),
            carries=max(self.carries, other.carries),
        )


def measure(module: Mapping[str, Any]) -> tuple[Size, Counter[str]]:
    """Size of a flat module, and how often it holds each cell that is not a primitive."""
    kinds = Counter(cell["type"] for cell in module["cells"].values())
    counts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    bram36 = 0.0
    for kind, number in kinds.items():
        if _LUT.match(kind):
            counts["lut"] += number if kind != "INV" else 0
        elif kind in _LUTS_OF_RAM:
            counts["lutram"] += number * _LUTS_OF_RAM[kind]
        elif kind.startswith(("FD", "LD")):
            counts["ff"] += number
        elif kind.startswith("DSP48"):
            counts["dsp"] += number
        elif kind in _BLOCKS:
            bram36 += number * _BLOCKS[kind][1] if _BLOCKS[kind][0] == "bram36" else 0
            counts["uram"] += number if kind == "URAM288" else 0
        elif not kind.startswith(("CARRY", "MUXF", "VCC", "GND", "BUF", "IBUF", "OBUF", "$")):
            others[kind] += number
    levels, carries = _longest(module, set(others))
    size = Size(
        lut=counts["lut"] + counts["lutram"],
        lutram=counts["lutram"],
        ff=counts["ff"],
        dsp=counts["dsp"],
        bram36=bram36,
        uram=counts["uram"],
        levels=levels,
        carries=carries,
    )
    return size, others


def _longest(module: Mapping[str, Any], blocks: set[str]) -> tuple[int, int]:
    """Most LUTs, and most CARRY8, on a path between registers, ports and blocks."""
    cells = module["cells"]
    drivers: dict[int, str] = {}
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                drivers.update({bit: name for bit in bits if isinstance(bit, int)})
    depths: dict[str, tuple[int, int]] = {}

    def ends(name: str) -> bool:
        kind = cells[name]["type"]
        return bool(_SEQUENTIAL.match(kind)) or kind in blocks

    def sources(name: str) -> set[str]:
        cell = cells[name]
        bits = (
            bit
            for port, wires in cell["connections"].items()
            if cell["port_directions"][port] == "input" and port not in _CLOCKS
            for bit in wires
        )
        return {drivers[bit] for bit in bits if bit in drivers}

    def depth(name: str) -> tuple[int, int]:
        """Levels up to a combinational cell's output; iterative, chains are long."""
        stack = [name]
        while stack:
            current = stack[-1]
            open_ = [s for s in sources(current) if not ends(s) and s not in depths]
            if current in depths or not open_:
                stack.pop()
                known = [depths[s] for s in sources(current) if not ends(s)]
                luts, chains = (max((d[i] for d in known), default=0) for i in (0, 1))
                kind = cells[current]["type"]
                is_lut = bool(_LUT.match(kind)) and kind != "INV" or kind in _LUTS_OF_RAM
                depths[current] = (luts + is_lut, chains + kind.startswith("CARRY"))
            else:
                stack.extend(open_)
        return depths[name]

    found = [
        depth(source)
        for name in cells
        if ends(name) or cells[name]["type"] in _LUTS_OF_RAM
        for source in sources(name)
        if not ends(source)
    ]
    ports = (bit for port in module["ports"].values() for bit in port["bits"])
    found += [depth(drivers[b]) for b in ports if b in drivers and not ends(drivers[b])]
    levels = max((luts for luts, _ in found), default=0)
    return levels, -(-max((chains for _, chains in found), default=0) // 2)
