"""Drives a pipeline cycle by cycle and records its outputs; packs lanes into wide signals."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from numpy.typing import NDArray

from m3vit.rtl.run_control import RESET_CYCLES
from tests.rtl.bench.runner import INPUTS

PERIOD_NS = 10


def pack(values: NDArray[Any], width: int) -> list[int]:
    """[cycles, lanes] (or [cycles]) as one unsigned number a cycle, lane 0 lowest."""
    table = np.atleast_2d(np.asarray(values, dtype=np.int64).T).T
    bits = ((table[..., None] >> np.arange(width)) & 1).astype(np.uint8)
    rows = np.packbits(bits.reshape(len(table), -1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def unpack(words: Sequence[int], width: int, lanes: int, signed: bool = True) -> NDArray[np.int64]:
    """Inverse of :func:`pack` as [cycles, lanes]."""
    size = -(-lanes * width // 8)
    raw = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), np.uint8)
    bits = np.unpackbits(raw.reshape(len(words), size), axis=1, bitorder="little")
    fields = bits[:, : lanes * width].reshape(len(words), lanes, width).astype(np.int64)
    values: NDArray[np.int64] = (fields << np.arange(width)).sum(axis=2)
    return np.where(values >> (width - 1), values - (1 << width), values) if signed else values


async def start(dut: Any) -> None:
    """Clock and :func:`reset`.  Inputs that the bench has not set are 0."""
    await Timer(1, "ns")  # what the bench has set is there
    for name in os.environ[INPUTS].split():
        if not getattr(dut, name).value.is_resolvable:
            getattr(dut, name).value = 0
    Clock(dut.clk, PERIOD_NS, "ns").start()
    await reset(dut)


async def reset(dut: Any) -> None:
    """As long as the machine's: what has no reset runs empty; Icarus shows what does not."""
    dut.rst.value = 1
    for _ in range(RESET_CYCLES):
        await RisingEdge(dut.clk)
    await Timer(1, "ns")
    dut.rst.value = 0


async def play(
    dut: Any, inputs: Mapping[str, Sequence[int]], outputs: Sequence[str], extra: int = 0
) -> dict[str, list[int]]:
    """Apply ``inputs[name][t]`` in cycle t; outputs[name][t] is what is seen in that cycle.

    A pipeline of latency L shows the result of cycle t in cycle t + L.  Inputs keep their last
    value for ``extra`` further cycles.
    """
    cycles = max(len(values) for values in inputs.values())
    handles = {name: getattr(dut, name) for name in (*inputs, *outputs)}
    seen: dict[str, list[int]] = {name: [] for name in outputs}
    for cycle in range(cycles + extra):
        for name, values in inputs.items():
            if cycle < len(values):
                handles[name].value = values[cycle]
        await ReadOnly()
        for name in outputs:
            seen[name].append(int(handles[name].value))
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
    return seen
