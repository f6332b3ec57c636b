"""The smallest complete machine that the generator makes, in simulation."""

from collections.abc import Mapping

from m3vit.hw.machine import MachineConfig
from m3vit.sim.rtl.platform import RtlPlatform, open_platform

SMALL = MachineConfig(
    name="small",
    groups=1,
    rows=8,
    columns=16,
    accumulator_pairs=16,
    normal_block_pairs=8,
    score_words=256,
    ring_bytes=8 * 4096,
    exponential_lanes=16,
    requantise_lanes=16,
    layernorm_lanes=8,
    combine_lanes=8,
    activation_bytes=16 * 512 * 8,
    max_tokens=64,
    max_width=64,
    max_experts=8,
    max_top_k=2,
)


def small_platform(**options: float) -> RtlPlatform:
    """A fresh simulator of ``SMALL``; built once, then kept like all simulators."""
    return open_platform(SMALL, options, optimisation="-O1")


def open_small(machine: MachineConfig, options: Mapping[str, float]) -> RtlPlatform:
    """In place of the simulator's own opener."""
    return open_platform(machine, options, optimisation="-O1")
