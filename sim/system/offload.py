"""Experts that live beyond a link: loads, computations and near-memory work as timed events.

Three resources work side by side: the link (one load or message at a time), the processor and the
near-memory unit.  A block's gate is known when its dense part has run; a policy may load ahead.
"""

from dataclasses import dataclass, field

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.nearmem.tables import near_time_ns
from m3vit.sim.nearmem.unit import NearUnit
from m3vit.sim.system.placement import Place
from m3vit.sim.system.policy import Key, Policy
from m3vit.sim.system.processor import Processor
from m3vit.sim.system.shapes import NetworkShape
from m3vit.sim.system.workload import Step


@dataclass(frozen=True, kw_only=True)
class OffloadMachine:
    """A processor that keeps ``slots`` experts besides those of the block that it computes; all
    experts lie behind its link.

    ``dense_ns`` is what a block takes beside its experts; ``near`` may compute where they lie.
    """

    processor: Processor
    near: NearUnit | None
    network: NetworkShape
    slots: int
    dense_ns: float

    def __post_init__(self) -> None:
        """Raise ConfigurationError for sizes that cannot hold an expert."""
        if self.slots < 2 or self.dense_ns < 0:
            raise ConfigurationError(
                f"slots must be 2 or more and dense_ns not negative, got {self.slots}, "
                f"{self.dense_ns}"
            )

    @property
    def load_ns(self) -> float:
        """Link time of one expert's weights."""
        return self.processor.transfer_ns(self.network.expert_bytes)

    def compute_ns(self, tokens: int) -> float:
        """One expert on the processor, weights at hand."""
        if not tokens:
            return 0.0
        operations = 2.0 * self.network.expert_elements * tokens
        return self.processor.time_ns(operations, self.network.expert_bytes)

    def near_ns(self, tokens: int) -> float:
        """One expert on the near-memory unit (never when there is none)."""
        if self.near is None:
            return float("inf")
        return near_time_ns(self.near, self.network.expert_bytes, tokens, self.network.weight_bytes)

    def message_ns(self, tokens: int) -> float:
        """Link time of activations there and results back, 2 bytes each."""
        return self.processor.transfer_ns(4.0 * tokens * self.network.width)


@dataclass(kw_only=True)
class OffloadResult:
    """Times in ns and counts of one run; ``block_experts`` counts the experts whose weights each
    block reads from the memory that holds them all, loaded or near it."""

    policy: str
    total_ns: float = 0.0
    block_ns: list[float] = field(default_factory=list)
    block_experts: list[int] = field(default_factory=list)
    loads: int = 0
    preloads: int = 0
    hits: int = 0
    near: int = 0
    link_busy_ns: float = 0.0
    processor_busy_ns: float = 0.0
    near_busy_ns: float = 0.0

    @property
    def mean_block_ns(self) -> float:
        """Mean time of a block."""
        return sum(self.block_ns) / max(1, len(self.block_ns))

    @property
    def read_experts(self) -> int:
        """Experts read so far from the memory that holds them all."""
        return self.loads + self.preloads + self.near


class _Clock:
    """When each resource is free, and when loaded experts are there."""

    def __init__(self, machine: OffloadMachine, result: OffloadResult) -> None:
        self.machine, self.result = machine, result
        self.link = self.processor = self.near = 0.0
        self.there: dict[Key, float] = {}

    def load(self, key: Key, earliest: float) -> float:
        self.link = max(self.link, earliest) + self.machine.load_ns
        self.result.link_busy_ns += self.machine.load_ns
        self.there[key] = self.link
        return self.link

    def compute(self, tokens: int, earliest: float) -> float:
        duration = self.machine.compute_ns(tokens)
        self.processor = max(self.processor, earliest) + duration
        self.result.processor_busy_ns += duration
        return self.processor

    def compute_near(self, tokens: int, earliest: float) -> float:
        message, duration = self.machine.message_ns(tokens), self.machine.near_ns(tokens)
        self.link = max(self.link, earliest) + message
        self.near = max(self.near, self.link) + duration
        self.result.link_busy_ns += message
        self.result.near_busy_ns += duration
        return self.near


def run_offload(machine: OffloadMachine, steps: list[Step], policy: Policy) -> OffloadResult:
    """Run a workload under a policy."""
    result = OffloadResult(policy=policy.name)
    clock = _Clock(machine, result)
    start = 0.0
    for position, step in enumerate(steps):
        policy.enter(position)
        gate = max(clock.processor, start) + machine.dense_ns
        clock.processor = gate
        result.processor_busy_ns += machine.dense_ns
        before = result.read_experts
        end = _block(clock, step, policy, gate, start)
        result.block_ns.append(end - start)
        result.block_experts.append(result.read_experts - before)
        start = end
    result.total_ns = start
    return result


def _block(clock: _Clock, step: Step, policy: Policy, gate: float, start: float) -> float:
    """One block: preloads of the next block run beside it, after its own loads."""
    places = policy.assign(step.tokens)
    end = gate
    for expert in _by_place(step, places, Place.NEAR):
        clock.result.near += 1
        end = max(end, clock.compute_near(step.tokens[expert], gate))
    arrivals = _arrivals(clock, step, places, policy, gate)
    for key in policy.preload():
        clock.load(key, gate if policy.needs_gate else start)
        clock.result.preloads += 1
    last = max((time for time, _ in arrivals), default=gate)
    for time, expert in sorted(arrivals):
        earliest = time if policy.overlaps else last
        end = max(end, clock.compute(step.tokens[expert], max(gate, earliest)))
    return end


def _by_place(step: Step, places: list[Place], place: Place) -> list[int]:
    return [expert for expert in step.active if places[expert] is place]


def _arrivals(
    clock: _Clock, step: Step, places: list[Place], policy: Policy, gate: float
) -> list[tuple[float, int]]:
    """When the weights of each expert that the processor computes are there."""
    found = []
    for expert in _by_place(step, places, Place.PROCESSOR):
        clock.result.hits += 1
        found.append((clock.there.get((step.block, expert), 0.0), expert))
    busy_until = [gate] * policy.buffers
    for expert in _by_place(step, places, Place.FETCH):
        clock.result.loads += 1
        earliest = gate if not policy.buffers else busy_until[0]
        arrival = clock.load((step.block, expert), earliest)
        found.append((arrival, expert))
        if policy.buffers:
            done = max(arrival, busy_until[-1]) + clock.machine.compute_ns(step.tokens[expert])
            busy_until = [*busy_until[1:], done]
    return found
