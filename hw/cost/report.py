"""What the cycle model finds out about one image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PHASES = (
    "start",
    "embedding",
    "qkv",
    "attention",
    "projection",
    "mlp",
    "gate",
    "experts",
    "result",
)
"""Phases in order of first appearance; ``start`` and ``result`` do not use the array."""


@dataclass(frozen=True, kw_only=True)
class PhaseCycles:
    """Cycles that one phase of one block took, and cycles in which the array worked in it."""

    block: int
    """-1 outside the blocks."""
    phase: str
    cycles: float
    busy: int


@dataclass(frozen=True, kw_only=True)
class CycleReport:
    """Cycles and DRAM bytes of one image through the encoder; all figures are modelled.

    ``total == busy + sum(lost.values())`` and ``total == sum of the phases``, up to rounding up
    to a whole cycle.  ``lost`` maps causes (``m3vit.hw.cost.timeline.CAUSES``) to cycles;
    ``dram_bytes`` maps kinds (``m3vit.hw.cost.stream.KINDS``) to bytes.
    """

    total: int
    busy: int
    lost: Mapping[str, float]
    phases: tuple[PhaseCycles, ...]
    dram_bytes: Mapping[str, int]
    wasted_bytes: int
    """Of ``dram_bytes["experts"]``: fetched before the gate said that nobody wants them."""
    experts_used: tuple[int, ...]
    """Experts with at least one token, per block of experts."""
    macs: int
    """Useful multiply-accumulates, without padding."""
    multipliers: int
    """DSPs of the array."""
    clock_mhz: float
    bytes_per_cycle: float

    @property
    def latency_ms(self) -> float:
        """Time of one image."""
        return self.total / self.clock_mhz / 1e3

    @property
    def dram_total(self) -> int:
        """Bytes moved between DRAM and the machine, both directions."""
        return sum(self.dram_bytes.values())

    @property
    def padding(self) -> float:
        """Array cycles spent on padded tokens, keys, channels and experts."""
        return self.busy - self.macs / (2 * self.multipliers)

    def mac_utilisation(self, dsps: int) -> float:
        """Useful MACs over what ``dsps`` DSPs with two MACs a cycle could have done."""
        return self.macs / (2 * dsps * self.total)

    def utilisation(self) -> dict[str, float]:
        """Share of the time in which a unit works."""
        return {
            "array": self.busy / self.total,
            "multipliers": self.mac_utilisation(self.multipliers),
            "dram": self.dram_total / self.bytes_per_cycle / self.total,
        }

    def by_phase(self) -> dict[str, PhaseCycles]:
        """Phases summed over the blocks."""
        sums: dict[str, PhaseCycles] = {}
        for part in self.phases:
            sofar = sums.get(part.phase)
            sums[part.phase] = PhaseCycles(
                block=-1,
                phase=part.phase,
                cycles=part.cycles + (sofar.cycles if sofar else 0),
                busy=part.busy + (sofar.busy if sofar else 0),
            )
        return sums

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "cycles": self.total,
            "latency_ms": self.latency_ms,
            "clock_mhz": self.clock_mhz,
            "macs": self.macs,
            "array_busy_cycles": self.busy,
            "padding_cycles": self.padding,
            "lost_cycles": dict(self.lost),
            "phases": {
                name: {"cycles": part.cycles, "busy": part.busy}
                for name, part in self.by_phase().items()
            },
            "layers": [
                {"block": p.block, "phase": p.phase, "cycles": p.cycles, "busy": p.busy}
                for p in self.phases
            ],
            "dram_bytes": self.dram_total,
            "dram_bytes_by_kind": dict(self.dram_bytes),
            "wasted_bytes": self.wasted_bytes,
            "experts_used": list(self.experts_used),
            "utilisation": self.utilisation(),
        }
