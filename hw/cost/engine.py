"""The state that the phases of an image share: array, stream, write-back, account of phases."""

from collections.abc import Iterator
from contextlib import contextmanager

from m3vit.hw.cost.assumptions import Assumptions
from m3vit.hw.cost.report import PhaseCycles
from m3vit.hw.cost.stream import WeightStream
from m3vit.hw.cost.timeline import ArrayTimeline
from m3vit.hw.machine import MachineConfig

Block = tuple[int, int]
"""First token pair of a block of the loop nest, and the one behind its last."""


def split(pairs: int, most: int) -> list[Block]:
    """``pairs`` in equal blocks of at most ``most``; the first ones take the rest."""
    count = max(1, -(-pairs // most))
    size, rest = divmod(pairs, count)
    blocks, start = [], 0
    for index in range(count):
        end = start + size + (index < rest)
        blocks.append((start, end))
        start = end
    return blocks


def bytes_per_cycle(machine: MachineConfig) -> float:
    """DRAM bytes a cycle: the planned bandwidth, or what the ports can carry."""
    ports = machine.memory_ports * machine.port_bits / 8
    return min(ports, machine.memory_gbytes_per_s * 1e3 / machine.clock_mhz)


class Engine:
    """One image's run through the machine."""

    def __init__(self, machine: MachineConfig, assumptions: Assumptions) -> None:
        self.machine = machine
        self.assumptions = assumptions
        self.array = ArrayTimeline(assumptions.pass_gap_cycles)
        self.stream = WeightStream(
            bytes_per_cycle(machine), machine.ring_bytes, assumptions.dram_latency
        )
        self.stores_free = {"key": 0.0, "residual": 0.0, "requantise": 0.0}
        self.norm_free = 0.0
        self.wasted_bytes = 0.0
        self.phases: list[PhaseCycles] = []

    @property
    def narrow(self) -> int:
        """Pairs a block where LayerNorm follows or feeds (token block outside)."""
        return self.machine.normal_block_pairs

    @property
    def wide(self) -> int:
        """Pairs a block elsewhere (panel outside)."""
        return self.machine.accumulator_pairs

    @property
    def requantise_rate(self) -> int:
        """Cycles in which the requantiser takes the results of one pair."""
        return -(-2 * self.machine.panel // self.machine.requantise_lanes)

    @contextmanager
    def phase(self, block: int, name: str) -> Iterator[None]:
        """Account what passes inside to ``name``."""
        time, busy = self.array.time, self.array.busy
        yield
        self.phases.append(
            PhaseCycles(
                block=block,
                phase=name,
                cycles=self.array.time - time,
                busy=self.array.busy - busy,
            )
        )
