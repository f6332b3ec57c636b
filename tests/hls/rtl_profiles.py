"""Profiles as the host writes them, with cycles that are known beforehand."""

import math
from pathlib import Path

from m3vit.host.profile import Profile, Step, write_profile
from m3vit.hw.config import ModelConfig
from m3vit.hw.cost.cycles import estimate_cycles
from m3vit.hw.machine import MachineConfig
from m3vit.hw.registers import COUNTERS

COPY = 3
"""Cycles of the copy between gate and experts."""


def profile_of(
    config: ModelConfig, machine: MachineConfig, lag: int = 0, digest: str = "d"
) -> Profile:
    """The cost model's phases as steps of a sequencer that runs ``lag`` busy cycles ahead.

    The array has caught up before the experts and behind them.
    """
    steps: list[Step] = []
    first = late = 0
    for part in estimate_cycles(config, machine).phases:
        if part.phase == "experts":
            steps.append(_step(len(steps), part.block, "store", first, COPY, 0))
            first += COPY
        behind = 0 if part.phase in ("gate", "experts") else min(lag, part.busy)
        cycles = math.ceil(part.cycles) + late - behind
        busy = part.busy + late - behind
        steps.append(_step(len(steps), part.block, part.phase, first, cycles, busy))
        first, late = first + cycles, behind
    return Profile(
        machine=machine.name,
        clock_mhz=machine.clock_mhz,
        model=config.name,
        digest=digest,
        steps=tuple(steps),
        span=1,
        bins=(),
    )


def _step(index: int, block: int, layer: str, first: int, cycles: int, busy: int) -> Step:
    counts = {**dict.fromkeys(COUNTERS, 0), "CYCLES": cycles, "ARRAY_BUSY": busy}
    last = first + cycles - 1
    return Step(
        index=index, op="GEMM", block=block, layer=layer, first=first, last=last, counts=counts
    )


def written(path: Path, profile: Profile) -> Path:
    """``path``, with the profile in it."""
    (made,) = write_profile(path, profile)
    return made
