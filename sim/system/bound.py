"""A lower bound for every policy: no schedule of loads, caches and units can be faster."""

from collections.abc import Sequence

from m3vit.sim.system.offload import OffloadMachine
from m3vit.sim.system.placement import Place
from m3vit.sim.system.policy import Farthest
from m3vit.sim.system.workload import Step


def fewest_loads(steps: Sequence[Step], slots: int) -> int:
    """Loads that any cache of ``slots`` experts needs (Belady).

    The experts of the block being computed do not count against the slots, which gives the bound
    as many slots more as any block has active experts.
    """
    policy = Farthest(steps, slots + max((len(step.active) for step in steps), default=0))
    loads = 0
    for position, step in enumerate(steps):
        policy.enter(position)
        loads += policy.assign(step.tokens).count(Place.FETCH)
    return loads


def lower_bound_ns(machine: OffloadMachine, steps: Sequence[Step]) -> float:
    """The busiest resource if work could be spread perfectly, weights shared at will.

    Without near memory: the processor's work, or the fewest loads.  With it, a cached expert is
    taken as free to reach, so that only dense parts, and for each step the fractional split of
    experts between processor and near memory, count.
    """
    dense = machine.dense_ns * len(steps)
    if machine.near is None:
        computing = sum(machine.compute_ns(n) for step in steps for n in step.tokens)
        return max(dense + computing, fewest_loads(steps, machine.slots) * machine.load_ns)
    return dense + sum(_split_ns(machine, step.tokens) for step in steps)


def _split_ns(machine: OffloadMachine, tokens: Sequence[int]) -> float:
    """Least time of two units that may share experts in any proportion."""
    near = sum(machine.near_ns(n) for n in tokens if n)
    processor = 0.0
    gain = sorted(
        (n for n in tokens if n),
        key=lambda n: -machine.near_ns(n) / max(machine.compute_ns(n), 1e-9),
    )
    for count in gain:
        here, there = machine.compute_ns(count), machine.near_ns(count)
        if processor + here >= near - there:
            share = (near - processor) / (here + there)
            return processor + share * here
        processor, near = processor + here, near - there
    return max(processor, near)
