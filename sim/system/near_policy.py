"""Policies for machines whose expert memory computes: MoNDE's split and greedy balancing."""

from collections.abc import Callable, Sequence
from functools import cache

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.system.offload import OffloadMachine
from m3vit.sim.system.placement import Place
from m3vit.sim.system.policy import (
    DoubleBuffer,
    EdgeCache,
    Farthest,
    LeastRecentlyUsed,
    OnDemand,
    PinHottest,
    Policy,
    PrefetchAll,
    PreGated,
    Resident,
    Speculative,
)
from m3vit.sim.system.workload import Step


class AllNear(Policy):
    """Every expert is computed where it lies."""

    name = "all-near"

    def assign(self, tokens: Sequence[int]) -> list[Place]:
        """Near memory, always."""
        return [Place.NEAR] * len(tokens)


class HotCold(Policy):
    """MoNDE: the hottest share BW_link / (BW_near + BW_link) of the active experts is loaded, the
    rest computed near memory; ``alpha`` scales the share."""

    name = "monde"

    def __init__(self, steps: Sequence[Step], machine: OffloadMachine, alpha: float = 1.0) -> None:
        super().__init__(steps, machine.slots)
        if machine.near is None:
            raise ConfigurationError("the policy monde needs a machine with a near-memory unit")
        link, near = machine.processor.link_gbps, machine.near.peak_gbps
        self.share = alpha * link / (near + link)

    def assign(self, tokens: Sequence[int]) -> list[Place]:
        """The hottest to the processor, over the link."""
        active = sorted((i for i, n in enumerate(tokens) if n), key=lambda i: -tokens[i])
        places = [Place.NEAR] * len(tokens)
        for expert in active[: round(self.share * len(active))]:
            places[expert] = Place.FETCH
        return places


_ALPHAS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)


class TunedHotCold(HotCold):
    """MoNDE with its ``alpha`` tuned: the one whose slower side (loads and arithmetic, or near
    memory), summed over the workload, is fastest."""

    name = "monde-tuned"

    def __init__(self, steps: Sequence[Step], machine: OffloadMachine) -> None:
        super().__init__(steps, machine)
        share, near = self.share, cache(machine.near_ns)

        def slower_side_ns(alpha: float) -> float:
            self.share = alpha * share
            return sum(_slower_side_ns(self.assign(s.tokens), s, machine, near) for s in steps)

        self.share = min(_ALPHAS, key=slower_side_ns) * share


def _slower_side_ns(
    places: Sequence[Place], step: Step, machine: OffloadMachine, near: Callable[[int], float]
) -> float:
    placed = list(zip(places, step.tokens, strict=True))
    fetched = [count for place, count in placed if place is Place.FETCH and count]
    loading = sum(max(machine.load_ns, machine.compute_ns(count)) for count in fetched)
    return max(loading, sum(near(count) for place, count in placed if place is Place.NEAR))


class Balanced(Policy):
    """Duplex's greedy rule over a link: experts with most tokens are loaded as long as the later of
    link-and-processor and near-memory unit finishes earlier."""

    name = "duplex"

    def __init__(self, steps: Sequence[Step], machine: OffloadMachine) -> None:
        super().__init__(steps, machine.slots)
        if machine.near is None:
            raise ConfigurationError("the policy duplex needs a machine with a near-memory unit")
        self.machine = machine

    def assign(self, tokens: Sequence[int]) -> list[Place]:
        """Start with everything near, move from the most tokens on."""
        places = [Place.NEAR] * len(tokens)
        near = sum(self.machine.near_ns(count) for count in tokens)
        loaded = 0.0
        for expert in sorted(range(len(tokens)), key=lambda i: -tokens[i]):
            rest = near - self.machine.near_ns(tokens[expert])
            more = loaded + max(self.machine.load_ns, self.machine.compute_ns(tokens[expert]))
            if not tokens[expert] or max(rest, more) >= max(near, loaded):
                break
            near, loaded = rest, more
            places[expert] = Place.FETCH
        return places


_PLAIN: tuple[type[Policy], ...] = (
    OnDemand,
    LeastRecentlyUsed,
    PinHottest,
    DoubleBuffer,
    PreGated,
    PrefetchAll,
    Speculative,
    EdgeCache,
    Farthest,
    Resident,
    AllNear,
)


def _plain(kind: type[Policy]) -> "Maker":
    return lambda steps, machine: kind(steps, machine.slots)


Maker = Callable[[Sequence[Step], OffloadMachine], Policy]

POLICIES: dict[str, Maker] = {
    **{kind.name: _plain(kind) for kind in _PLAIN},
    HotCold.name: HotCold,
    TunedHotCold.name: TunedHotCold,
    Balanced.name: Balanced,
}
"""Every policy by name, made from the workload and the machine."""


def make_policy(name: str, steps: Sequence[Step], machine: OffloadMachine) -> Policy:
    """A policy by name.

    Raises:
        ConfigurationError: unknown name, or a policy that the machine cannot follow.
    """
    if name not in POLICIES:
        raise ConfigurationError(f"unknown policy {name!r}; known are {', '.join(POLICIES)}")
    if name == AllNear.name and machine.near is None:
        raise ConfigurationError("the policy all-near needs a machine with a near-memory unit")
    return POLICIES[name](steps, machine)
