"""Steps and targets that benches of the AXI4 masters share."""

import itertools
import random
from typing import Any

from cocotb.triggers import ReadOnly, RisingEdge, Timer

BEAT = 16
SIZE = 1 << 16


class Refusing:
    """A target that fails every access to addresses from ``first`` on."""

    def __init__(self, first: int = 0) -> None:
        self.first = first

    async def read(self, address: int, length: int) -> bytes:
        if address >= self.first:
            raise RuntimeError("refused")
        return bytes(length)

    async def write(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("refused")


def pauses(rng: random.Random) -> Any:
    return (rng.random() < 0.4 for _ in itertools.count())


async def clock(dut: Any) -> None:
    await RisingEdge(dut.clk)
    await Timer(1, "ns")


async def offer(dut: Any, wanted: list[tuple[int, int]]) -> None:
    """Hand over the regions one after the other."""
    for address, beats in wanted:
        dut.valid.value, dut.address.value, dut.beats.value = 1, address, beats
        if hasattr(dut, "tag"):
            dut.tag.value = address >> 8
        while True:
            await ReadOnly()
            taken = int(dut.ready.value)
            await clock(dut)
            if taken:
                break
    dut.valid.value = 0


async def wait_idle(dut: Any) -> None:
    """Through the work that was just offered."""
    for _ in range(6):
        await clock(dut)
    for _ in range(500):
        if int(dut.idle.value):
            return
        await clock(dut)
    raise AssertionError("the port never became idle")


async def pulse_clear(dut: Any) -> None:
    dut.clear.value = 1
    await clock(dut)
    dut.clear.value = 0
    await clock(dut)
