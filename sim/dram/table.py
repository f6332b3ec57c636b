"""Memory tables: organisation, timing values and rules of one memory, as frozen data.

A rule says: after ``before`` went to a node of ``level``, ``after`` must wait ``latency`` ticks at
that node (or, with ``sibling``, at the other nodes of that level); ``window`` counts back to the
n-th last ``before`` (four activates).  Pseudo channels are called ranks here, and HBM3's stack
identifiers stacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from m3vit.sim.dram import commands

CONTROLLERS = ("single-bus", "dual-bus", "dual-edge", "split-activate")
"""DDR and GDDR; HBM2 (row and column bus); HBM3 (half-clock row bus); LPDDR5 (two-step ACT)."""

LEVELS = ("channel", "rank", "stack", "group", "bank")
"""Nodes from the outside in."""


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """Sizes of one channel; ``columns`` counts accesses (bursts) per row."""

    ranks: int
    stacks: int
    groups: int
    banks: int
    rows: int
    columns: int

    @property
    def banks_per_rank(self) -> int:
        """Banks of one rank (or pseudo channel)."""
        return self.stacks * self.groups * self.banks

    @property
    def total_banks(self) -> int:
        """Banks of the channel."""
        return self.ranks * self.banks_per_rank


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One named value in clock cycles, and where it was read."""

    cycles: int
    source: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One timing rule; ``latency`` in ticks, ``formula`` as the table states it."""

    level: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    latency: int
    formula: str
    window: int = 1
    sibling: bool = False

    def __str__(self) -> str:
        before = "/".join(commands.NAMES[i] for i in self.before)
        after = "/".join(commands.NAMES[i] for i in self.after)
        return f"{self.level}: {before} -> {after} = {self.formula}"


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of one command in nJ (those not named: zero), and where the numbers were read."""

    command_nj: Mapping[str, float]
    source: str


@dataclass(frozen=True, kw_only=True)
class MemoryTable:
    """One memory as the simulator uses it.

    ``clock_ps`` is the command clock's period; a tick is ``clock_ps / ticks_per_clock``.  One
    access moves ``bus_bits / 8 * burst`` bytes.  Rates are in MT/s (transfers, not clocks).
    """

    name: str
    controller: str
    rate_mtps: int
    clock_ps: int
    ticks_per_clock: int
    transfers_per_clock: int
    bus_bits: int
    burst: int
    peak_gbps: float
    organisation: Organisation
    timing: Mapping[str, Timing]
    rules: tuple[Rule, ...]
    read_latency: int
    energy: Energy
    source: str

    @property
    def tick_ps(self) -> int:
        """Length of a tick, cut to whole picoseconds."""
        return self.clock_ps // self.ticks_per_clock

    @property
    def access_bytes(self) -> int:
        """Bytes moved by one column command."""
        return self.bus_bits // 8 * self.burst

    def ticks(self, name: str) -> int:
        """A named timing value in ticks (0 when the table has none)."""
        found = self.timing.get(name)
        return found.cycles * self.ticks_per_clock if found else 0
