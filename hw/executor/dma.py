"""DMA: rows of tokens between DRAM and a store."""

from typing import Any

import numpy as np

from m3vit.hw.commands.extent import ELEMENT_BYTES
from m3vit.hw.commands.fields import Base, Element, Flag, Store
from m3vit.hw.commands.word import Command
from m3vit.hw.errors import CommandError
from m3vit.hw.executor.state import State, window
from m3vit.hw.executor.steps import Source, Step
from m3vit.hw.formats import RESIDUAL_GUARD_BITS, UInt8
from m3vit.hw.golden.layernorm import residual_view
from m3vit.hw.routing import RoutingPlan

_TYPES = {Element.INT8: "|i1", Element.INT16: "<i2", Element.INT32: "<i4"}


def bind_dma(command: Command, source: Source) -> Step:
    """A store written to DRAM; the residual preset from int16 rows; patches into XN."""
    return lambda state: _write(command, state) if _is_write(command) else _read(command, state)


def _is_write(command: Command) -> bool:
    return bool(command.flags & Flag.WRITE)


def _rows(command: Command, state: State) -> UInt8:
    """[tokens, row bytes], a view of DRAM."""
    width = command["elements"] * ELEMENT_BYTES[Element(command["element"])]
    stride, tokens = command["stride"], command.tokens
    size = max(0, tokens - 1) * stride + width
    data = window(state, Base(command["base"]), command["address"], size)
    return np.lib.stride_tricks.as_strided(data, (tokens, width), (stride, 1))


def _read(command: Command, state: State) -> None:
    first, channel = command["first_token"], command["first_channel"]
    rows = np.ascontiguousarray(_rows(command, state)).view(_TYPES[Element(command["element"])])
    if command.dst is Store.XN:
        state.normalised = np.zeros((first + command.tokens, channel + rows.shape[1]), np.int8)
        state.normalised[first:, channel:] = rows
        return
    target = state.residual[first : first + command.tokens, channel : channel + rows.shape[1]]
    target[:] = rows.astype(np.int32) << RESIDUAL_GUARD_BITS


def _write(command: Command, state: State) -> None:
    first, channel = command["first_token"], command["first_channel"]
    elements, rows = command["elements"], _rows(command, state)
    if command.src is Store.PLAN:
        whole = plan_records(_present(state.plan, "PLAN"))
        channel, elements = 4 * channel, 4 * elements
    else:
        whole = _store(command, state)
    values = whole[first : first + command.tokens, channel : channel + elements]
    data = np.ascontiguousarray(values).view(np.uint8)
    if data.shape != rows.shape:
        raise CommandError(
            f"{command.src.name} holds {whole.shape[0]} tokens, the command reads "
            f"{command.tokens} from {first} on, {elements} from channel {channel} on"
        )
    rows[:] = data


def _store(command: Command, state: State) -> np.ndarray[Any, Any]:
    element = Element(command["element"])
    values: np.ndarray[Any, Any] | None
    if command.src is Store.RES:
        data = state.residual
        values = residual_view(data) if element is Element.INT16 else data
    else:
        values = state.normalised if command.src is Store.XN else state.hidden
    held: np.ndarray[Any, Any] = _present(values, command.src.name)
    return held.astype(_TYPES[element])


def _present(value: Any, name: str) -> Any:
    if value is None:
        raise CommandError(f"DMA reads {name} before a command has written it")
    return value


def plan_records(plan: RoutingPlan) -> UInt8:
    """[T, 4K]: expert u8, zero u8, weight u16 for every rank."""
    experts, weights = plan.per_token()
    records = np.zeros(experts.shape, [("expert", "u1"), ("zero", "u1"), ("weight", "<u2")])
    records["expert"], records["weight"] = experts, weights
    return records.view(np.uint8)
