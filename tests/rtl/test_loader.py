"""The loader: every tile's words in time for its swap, never in front of the swap before it."""

from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from m3vit.hw.machine import CASCADE, MachineConfig
from m3vit.rtl.loader import KV_LATENCY, Loader, kv_depth
from m3vit.rtl.passes import Tile
from m3vit.rtl.ring import Ring

MACHINE = MachineConfig(name="loader", groups=1, rows=16, max_tokens=64)
OPERAND = 8
"""Cycles from a pass's swap at issue to the array."""
PARAMETERS = CASCADE // MACHINE.chains


def random_passes(rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Panels of three tiles with parameters, and tiles of K and V between them."""
    made: list[dict[str, Any]] = []
    address = 0
    for _ in range(count):
        kind = Tile.RING if rng.random() < 0.6 else rng.choice([Tile.KEY, Tile.VALUE])
        if kind != Tile.RING:
            made.append({"tile": kind, "address": int(rng.integers(0, 8)), "parameters": 0})
            continue
        for step in range(3):
            made.append({"tile": kind, "address": address, "parameters": int(step == 0)})
            address += CASCADE + (PARAMETERS if step == 0 else 0)
    return made


def words_of(each: dict[str, Any]) -> list[int]:
    """What the memories hold at the pass's eight addresses: the address, K and V marked."""
    if each["tile"] == Tile.RING:
        first = each["address"] + (PARAMETERS if each["parameters"] else 0)
        return [first + step for step in range(CASCADE)]
    upper = kv_depth(MACHINE) // 2 if each["tile"] == Tile.VALUE else 0
    return [1 << 20 | (8 * each["address"] + upper + step) for step in range(CASCADE)]


class Bench:
    """Memories with their latencies, passes of ``length`` slots, and what the array sees."""

    def __init__(self, dut: Loader, passes: list[dict[str, Any]], length: int) -> None:
        self.dut, self.passes, self.length = dut, passes, length
        self.taken = self.issued = 0
        self.swaps: list[int] = []
        self.loads: list[tuple[int, int, int]] = []
        self.records: list[tuple[int, int]] = []
        self.ring = deque([0] * Ring.LATENCY)
        self.kv = deque([0] * KV_LATENCY)

    async def run(self, ctx: Any) -> None:
        dut = self.dut
        ctx.set(dut.head, 0x4000)
        ctx.set(dut.freed, 15)  # results leave long before their bank is wanted again
        for cycle in range(40 + (self.length + 6) * len(self.passes)):
            if self.taken < len(self.passes):
                ctx.set(dut.passes.payload, self.passes[self.taken])
            ctx.set(dut.passes.valid, self.taken < len(self.passes))
            free = not self.swaps or cycle >= self.swaps[-1] + self.length
            swap = bool(ctx.get(dut.loaded)) and free
            ctx.set(dut.swap, swap)
            if swap:
                self.swaps.append(cycle)
            self.ring.append(ctx.get(dut.ring_address))
            self.kv.append(1 << 20 | ctx.get(dut.kv_address))
            ctx.set(dut.ring_data, self.ring.popleft())
            ctx.set(dut.kv_data, self.kv.popleft())
            load = ctx.get(dut.load)
            if load:
                self.loads.append((cycle, load.bit_length() - 1, ctx.get(dut.w)))
            if ctx.get(dut.parameter_we):
                self.records.append((ctx.get(dut.parameter_index), ctx.get(dut.word)))
            self.taken += ctx.get(dut.passes.ready) & ctx.get(dut.passes.valid)
            await ctx.tick()


@pytest.mark.parametrize("length", [8, 11, 30])
def test_tiles_arrive_between_the_swaps(length: int) -> None:
    passes = random_passes(np.random.default_rng(length), 25)
    dut = Loader(MACHINE, OPERAND)
    bench = Bench(dut, passes, length)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench.run)
    simulator.run()
    assert len(bench.swaps) == len(passes)
    assert [step for _, step, _ in bench.loads] == list(range(CASCADE)) * len(passes)
    for index, each in enumerate(passes):
        own = bench.loads[CASCADE * index : CASCADE * index + CASCADE]
        assert [word for _, _, word in own] == words_of(each), index
        begins = own[0][0]
        assert [cycle for cycle, _, _ in own] == list(range(begins, begins + CASCADE))
        assert begins < bench.swaps[index] + OPERAND, "the swap's wave overtakes the load"
        if index:
            assert begins > bench.swaps[index - 1] + OPERAND, "the tile in use is overwritten"
    starts = [each["address"] for each in passes if each["parameters"]]
    wanted = [(index, start + index) for start in starts for index in range(PARAMETERS)]
    assert bench.records == wanted


def test_a_tile_every_eight_cycles() -> None:
    """Without parameters between them, passes of eight slots follow each other without a gap."""
    passes = [{"tile": Tile.RING, "address": 8 * index, "parameters": 0} for index in range(20)]
    dut = Loader(MACHINE, OPERAND)
    bench = Bench(dut, passes, CASCADE)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench.run)
    simulator.run()
    steps = np.diff(bench.swaps)
    assert (steps == CASCADE).all(), steps
