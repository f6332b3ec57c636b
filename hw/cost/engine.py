"""The state that the phases of an image share: array, stream, results, account of phases."""

from collections.abc import Iterator
from contextlib import contextmanager

from m3vit.hw.cost.assumptions import Assumptions
from m3vit.hw.cost.report import PhaseCycles
from m3vit.hw.cost.retire import Retire
from m3vit.hw.cost.stream import WeightStream
from m3vit.hw.cost.timeline import ArrayTimeline
from m3vit.hw.layout.sizes import PARAMETER_BYTES
from m3vit.hw.machine import MachineConfig

UNIT = 16
"""Channels of a unit of the stores."""

_NEAR = 2
"""Units apart up to which all groups write QOH at once; rtl/retire.py."""


def bytes_per_cycle(machine: MachineConfig) -> float:
    """DRAM bytes a cycle: the planned bandwidth, or what the ports can carry."""
    ports = machine.memory_ports * machine.port_bits / 8
    return min(ports, machine.memory_gbytes_per_s * 1e3 / machine.clock_mhz)


class Rates:
    """Cycles in which the results of a pair leave, by where they go (rtl/retire.py)."""

    def __init__(self, machine: MachineConfig) -> None:
        self._machine = machine
        self._least = -(-2 * machine.panel // machine.requantise_lanes)

    def _at_least(self, cycles: int) -> int:
        return max(cycles, self._least)

    def hidden(self, group_step: int = 1) -> int:
        """Into QOH: a member a cycle, in two turns where groups are far apart."""
        return self._at_least(2 if group_step <= _NEAR else 4)

    @property
    def key(self) -> int:
        """Into K."""
        return self._at_least(max(1, UNIT // self._machine.chains))

    @property
    def value(self) -> int:
        """Into V and its sums."""
        return self._at_least(3)

    @property
    def residual(self) -> int:
        """Into the residual: a group a cycle."""
        lanes = -(-2 * self._machine.panel // self._machine.combine_lanes)
        return self._at_least(max(2, self._machine.groups, lanes))

    def gate(self, experts: int, top_k: int, slots: int, panels: int) -> int:
        """Into the gate: a pair takes an expert a cycle, ``slots`` pairs at a time."""
        return self._at_least(-(-max(experts, top_k) // (slots * panels)))


class Engine:
    """One image's run through the machine."""

    def __init__(self, machine: MachineConfig, assumptions: Assumptions) -> None:
        self.machine = machine
        self.assumptions = assumptions
        words = machine.panel * PARAMETER_BYTES // machine.word_bytes
        self.array = ArrayTimeline(words, assumptions.pass_gap_cycles)
        self.stream = WeightStream(
            bytes_per_cycle(machine),
            machine.ring_bytes,
            assumptions.dram_latency,
            machine.memory_ports * assumptions.port_queue_bytes,
        )
        self.retire = Retire(
            assumptions.result_latency, 2 << (machine.accumulator_pairs - 1).bit_length()
        )
        self.rates = Rates(machine)
        self.norm_free = 0.0
        self.wasted_bytes = 0.0
        self.phases: list[PhaseCycles] = []

    @property
    def written(self) -> float:
        """Cycle at which every result so far is in its store."""
        return self.retire.free + self.assumptions.write_latency

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
