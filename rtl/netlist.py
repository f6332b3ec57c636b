"""A module mapped by open synthesis (a Yosys JSON netlist): what it takes and what it connects."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
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
_LUT = re.compile(r"LUT[1-6]$")
_BRAM36 = {"RAMB36E2": 1.0, "RAMB18E2": 0.5}
_WIRE = re.compile(r"INV$|MUXF|BUF|IBUF|OBUF")
"""Combinational, without a level of its own."""
_NOTHING = re.compile(r"VCC|GND|\$")
_REGISTER = re.compile(r"FD|LD|DSP48|RAMB|URAM|SRL")
"""Cells at which a path ends; the asynchronous read of LUTRAM is a level."""
_CLOCKS = {"C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK", "G"}
_READ_ADDRESS = re.compile(r"ADDR|A\d*$|DPRA")


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

    def plus(self, other: "Size") -> "Size":
        """This and ``other`` beside it."""
        return Size(
            lut=self.lut + other.lut,
            lutram=self.lutram + other.lutram,
            ff=self.ff + other.ff,
            dsp=self.dsp + other.dsp,
            bram36=self.bram36 + other.bram36,
            uram=self.uram + other.uram,
        )


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """A mapped module; bits are numbers of its own, constants are left out.

    ``gates``: kind ("lut", "carry", "wire"), inputs and one output.  ``ends``: input bits of
    registers and memories.  ``children``: instance, module and the bits of each port.  ``ports``:
    direction ("input", "output") and bits.  ``names`` of bits that the source has names for.
    """

    size: Size
    gates: list[tuple[str, list[int], int]]
    ends: list[int]
    children: list[tuple[str, str, dict[str, list[int | str]]]]
    ports: dict[str, tuple[str, list[int | str]]]
    names: dict[int, str]


def read_netlist(module: Mapping[str, Any]) -> Mapped:
    """Counts and connections of a module of ``write_json``."""
    gates: list[tuple[str, list[int], int]] = []
    ends: set[int] = set()
    children = []
    for name, cell in module["cells"].items():
        kind = cell["type"]
        if _REGISTER.match(kind):
            ends.update(_bits(cell, "input"))
        elif kind in _LUTS_OF_RAM:
            read = _bits(cell, "input", _READ_ADDRESS)
            ends.update(set(_bits(cell, "input")) - set(read))
            gates += [("lut", read, output) for output in _bits(cell, "output")]
        elif _LUT.match(kind) or _WIRE.match(kind):
            level = "lut" if _LUT.match(kind) else "wire"
            inputs = _bits(cell, "input")
            gates += [(level, inputs, output) for output in _bits(cell, "output")]
        elif kind.startswith("CARRY"):
            gates += _carry(cell["connections"])
        elif not _NOTHING.match(kind):
            children.append((name, kind, cell["connections"]))
    return Mapped(
        size=_count(module),
        gates=gates,
        ends=sorted(ends),
        children=children,
        ports={name: (p["direction"], p["bits"]) for name, p in module["ports"].items()},
        names=_names(module),
    )


def _bits(
    cell: Mapping[str, Any], direction: str, port: re.Pattern[str] | None = None
) -> list[int]:
    """Bits of a cell's ports, clocks left out."""
    return [
        bit
        for name, bits in cell["connections"].items()
        if cell["port_directions"][name] == direction
        and name not in _CLOCKS
        and (port is None or port.match(name))
        for bit in bits
        if isinstance(bit, int)
    ]


def _carry(wires: Mapping[str, list[int | str]]) -> Iterator[tuple[str, list[int], int]]:
    """Output i of a carry cell depends on the inputs up to its place."""
    start = [*wires.get("CI", []), *wires.get("CYINIT", [])]
    for place in range(len(wires["S"])):
        select, data = wires["S"][: place + 1], wires["DI"]
        for port, used in (("O", place), ("CO", place + 1)):
            output = wires[port][place] if port in wires else "x"
            inputs = [b for b in (*start, *select, *data[:used]) if isinstance(b, int)]
            if isinstance(output, int):
                yield "carry", inputs, output


def _count(module: Mapping[str, Any]) -> Size:
    counts: Counter[str] = Counter()
    bram36 = 0.0
    for cell in module["cells"].values():
        kind = cell["type"]
        counts["lut"] += bool(_LUT.match(kind))
        counts["lutram"] += _LUTS_OF_RAM.get(kind, 0)
        counts["ff"] += kind.startswith(("FD", "LD"))
        counts["dsp"] += kind.startswith("DSP48")
        counts["uram"] += kind == "URAM288"
        bram36 += _BRAM36.get(kind, 0)
    lutram = counts["lutram"]
    return Size(
        lut=counts["lut"] + lutram,
        lutram=lutram,
        ff=counts["ff"],
        dsp=counts["dsp"],
        bram36=bram36,
        uram=counts["uram"],
    )


def _names(module: Mapping[str, Any]) -> dict[int, str]:
    """The shortest name of every bit that has one."""
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if net["hide_name"] or "$" in name:
            continue
        for place, bit in enumerate(net["bits"]):
            shown = f"{name}[{place}]" if len(net["bits"]) > 1 else name
            if isinstance(bit, int) and len(shown) < len(names.get(bit, shown + " ")):
                names[bit] = shown
    return names
