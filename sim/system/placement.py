"""Where experts that are resident in memory are computed: processor or near-memory unit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from m3vit.hw.errors import ConfigurationError


class Place(Enum):
    """Where one expert's work goes."""

    PROCESSOR = "processor"
    NEAR = "near"
    FETCH = "fetch"


Times = Callable[[int], float]
"""Time in ns of one expert for a number of tokens."""


@dataclass(frozen=True, kw_only=True)
class UnitTimes:
    """Times of one expert on either side, the table that placement decides by."""

    processor: Times
    near: Times


def all_processor(tokens: Sequence[int], times: UnitTimes) -> list[Place]:
    """Everything on the processor."""
    return [Place.PROCESSOR] * len(tokens)


def faster_unit(tokens: Sequence[int], times: UnitTimes) -> list[Place]:
    """Each expert where it is faster; the units take turns (Duplex without co-processing)."""
    return [
        Place.NEAR if times.near(count) <= times.processor(count) else Place.PROCESSOR
        for count in tokens
    ]


SPACES = 4
"""Duplex divides a device's memory in four; one unit works in a space at a time."""


def co_process(tokens: Sequence[int], times: UnitTimes) -> list[Place]:
    """Duplex's greedy co-processing: the memory spaces with most tokens leave the near-memory units
    for the processor as long as the later of the two finishes earlier."""
    places = [Place.NEAR] * len(tokens)
    near = sum(times.near(count) for count in tokens)
    processor = 0.0
    each = max(1, len(tokens) // SPACES)
    spaces = [range(i, min(i + each, len(tokens))) for i in range(0, len(tokens), each)]
    for space in sorted(spaces, key=lambda experts: -sum(tokens[i] for i in experts)):
        moved_near = near - sum(times.near(tokens[i]) for i in space)
        moved_processor = processor + sum(times.processor(tokens[i]) for i in space)
        if max(moved_near, moved_processor) >= max(near, processor):
            break
        near, processor = moved_near, moved_processor
        for expert in space:
            places[expert] = Place.PROCESSOR
    return places


PLACEMENTS: dict[str, Callable[[Sequence[int], UnitTimes], list[Place]]] = {
    "processor": all_processor,
    "faster-unit": faster_unit,
    "co-process": co_process,
}


def find_placement(name: str) -> Callable[[Sequence[int], UnitTimes], list[Place]]:
    """A placement rule by name.

    Raises:
        ConfigurationError: unknown name.
    """
    if name not in PLACEMENTS:
        raise ConfigurationError(f"unknown placement {name!r}; known are {', '.join(PLACEMENTS)}")
    return PLACEMENTS[name]
