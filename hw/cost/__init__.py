"""What a network costs on a machine: MACs, bytes, cycles and resources, before it is built."""

from m3vit.hw.cost.cycles import estimate_cycles
from m3vit.hw.cost.report import CycleReport

__all__ = ["CycleReport", "estimate_cycles"]
