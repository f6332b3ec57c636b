"""Longest paths between registers of a whole machine, through every block on their way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from m3vit.rtl.netlist import Mapped

_COST = {"lut": (1.0, 1.0), "carry": (0.0, 0.5), "wire": (0.0, 0.0)}
"""LUTs, and LUTs and CARRY8 together: open synthesis has CARRY4, half of one each."""


@dataclass(frozen=True, kw_only=True)
class Path:
    """Of one block's registers the one that is reached last.

    ``levels``: LUTs in a row in front of it.  ``logic``: LUTs and CARRY8 in a row, at most (maybe
    on another path).  ``names`` on the way of the LUTs, from a register or port to the end.
    """

    levels: int = 0
    logic: int = 0
    names: tuple[str, ...] = ()


@dataclass
class Wires:
    """The machine without hierarchy: every bit a number, every gate a node by its output."""

    gates: dict[int, tuple[tuple[float, float], list[int]]] = field(default_factory=dict)
    ends: dict[str, set[int]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    bits: int = 0


def connect(modules: Mapping[str, Mapped], top: str) -> Wires:
    """All instances of ``modules`` inside ``top``."""
    wires = Wires()
    _place(wires, modules, top, top, {})
    return wires


def _place(
    wires: Wires, modules: Mapping[str, Mapped], name: str, at: str, outer: Mapping[str, list[int]]
) -> None:
    """An instance ``at`` a path; ``outer``: the bits at its ports, by port (-1: a constant)."""
    module = modules[name]
    inner: dict[int, int] = {}

    def number(bit: int) -> int:
        if bit not in inner:
            inner[bit] = wires.bits = wires.bits + 1
        return inner[bit]

    for way in ("input", "output"):
        for port, (direction, bits) in module.ports.items():
            pairs = zip(bits, outer.get(port, []), strict=False) if direction == way else ()
            for bit, far in pairs:
                if isinstance(bit, int) and far >= 0 and inner.setdefault(bit, far) != far:
                    wires.gates[far] = (_COST["wire"], [inner[bit]])
    for kind, inputs, output in module.gates:
        wires.gates[number(output)] = (_COST[kind], [number(bit) for bit in inputs])
    wires.ends.setdefault(name, set()).update(number(bit) for bit in module.ends)
    for bit, shown in module.names.items():
        if bit in inner:
            wires.names.setdefault(inner[bit], f"{at}.{shown}")
    for instance, kind, ports in module.children:
        if kind in modules:
            found = {
                port: [number(b) if isinstance(b, int) else -1 for b in bits]
                for port, bits in ports.items()
            }
            _place(wires, modules, kind, f"{at}.{instance}", found)


def longest(wires: Wires) -> dict[str, Path]:
    """Of every module the longest path that ends in it."""
    levels, logic = _depths(wires, 0), _depths(wires, 1)
    found = {}
    for module, ends in wires.ends.items():
        last = max(ends, key=lambda bit: levels.get(bit, 0.0), default=0)
        most = max((logic.get(bit, 0.0) for bit in ends), default=0.0)
        found[module] = Path(
            levels=int(levels.get(last, 0)),
            logic=-int(-most // 1),
            names=tuple(_way(wires, levels, last)),
        )
    return found


def _depths(wires: Wires, measure: int) -> dict[int, float]:
    """Levels in front of every gate's output; iterative, chains are long."""
    depths: dict[int, float] = {}
    gates = wires.gates
    for start in gates:
        stack = [start]
        while stack:
            bit = stack[-1]
            cost, inputs = gates[bit]
            waiting = [i for i in inputs if i in gates and i not in depths]
            if bit in depths or not waiting:
                stack.pop()
                depths[bit] = cost[measure] + max((depths.get(i, 0.0) for i in inputs), default=0)
            else:
                stack.extend(waiting)
    return depths


def _way(wires: Wires, depths: Mapping[int, float], end: int) -> Iterable[str]:
    """Names on the longest way to ``end``."""
    way, bit = [end], end
    while bit in wires.gates and wires.gates[bit][1]:
        bit = max(wires.gates[bit][1], key=lambda each: depths.get(each, 0.0))
        way.append(bit)
    return [wires.names[bit] for bit in reversed(way) if bit in wires.names]
