"""What the machine holds while it runs one image: stores, memory windows, counters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from m3vit.hw.commands.fields import Base
from m3vit.hw.errors import CommandError
from m3vit.hw.formats import Int8, Int32, UInt8
from m3vit.hw.routing import RoutingPlan


@dataclass
class State:
    """Stores are None until a command has written them; nothing survives from an earlier run."""

    memory: Mapping[Base, UInt8]
    """Bytes behind each base register; no TRACE entry = tracing is off."""
    task: int
    tokens: int
    residual: Int32
    """RES, int18 codes [T, d]."""
    normalised: Int8 | None = None
    """XN, [T, d]."""
    hidden: Int8 | None = None
    """QOH, [T, d]: Q of the heads in flight and O of the finished ones, at their own channels."""
    key: Int8 | None = None
    """K of the heads in flight, [T, heads * dh]."""
    value: Int8 | None = None
    """V of the heads in flight."""
    plan: RoutingPlan | None = None
    plans: dict[int, RoutingPlan] = field(default_factory=dict)
    """Every plan of the run by block, for traces."""
    saturations: int = 0
    """Residual additions that saturated."""


def initial_state(memory: Mapping[Base, UInt8], task: int, tokens: int, width: int) -> State:
    """A machine after reset."""
    residual = np.zeros((tokens, width), np.int32)
    return State(memory=memory, task=task, tokens=tokens, residual=residual)


def window(state: State, base: Base, start: int, size: int) -> UInt8:
    """``size`` bytes from ``start`` behind ``base``.

    Raises:
        CommandError: the range leaves the window.
    """
    data = state.memory[base]
    if start + size > data.size:
        raise CommandError(
            f"the {base.name.lower()} buffer has {data.size} bytes, the command needs "
            f"{start + size}"
        )
    return data[start : start + size]
