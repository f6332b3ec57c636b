"""The ring: order, wrapping at a depth that is no power of two, reads during a release, releases
of words that are still to come."""

import random
from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.rtl.ring import BEAT_BYTES, Ring

SHAPES = {
    "three beats a word": MachineConfig(name="a", ring_bytes=192 * 24),
    "three quarters of a beat": MachineConfig(name="b", rows=8, ring_bytes=48 * 20),
    "one and a half": MachineConfig(name="c", rows=16, ring_bytes=96 * 20),
}


@pytest.mark.parametrize("machine", SHAPES.values(), ids=SHAPES.keys())
def test_tiles_come_out_as_they_went_in(machine: MachineConfig) -> None:
    """Eight words are read while the release of the same tile is under way."""
    rng = np.random.default_rng(1)
    tiles, word = 30, machine.word_bytes
    data = rng.integers(0, 256, tiles * 8 * word).astype(np.uint8).tobytes()
    data += bytes(-len(data) % BEAT_BYTES)
    dut = Ring(machine)

    async def fill(ctx: Any) -> None:
        for at in range(0, len(data), BEAT_BYTES):
            payload = int.from_bytes(data[at : at + BEAT_BYTES], "little")
            ctx.set(dut.beats.payload, payload)
            ctx.set(dut.beats.valid, 1)
            await ctx.tick().until(dut.beats.ready)
        ctx.set(dut.beats.valid, 0)

    async def read(ctx: Any) -> None:
        late: deque[int | None] = deque([None] * (Ring.LATENCY - 1))
        for tile in range(tiles + 1):
            while tile < tiles and ctx.get(dut.head) < 8 * (tile + 1):
                await ctx.tick()
                _check(ctx, late, None)
            for step in range(8):
                address = 8 * tile + step
                ctx.set(dut.address, address)
                ctx.set(dut.release, step == 1)
                ctx.set(dut.release_to, 8 * tile + 8)
                await ctx.tick()
                _check(ctx, late, address if tile < tiles else None)
            ctx.set(dut.release, 0)

    def _check(ctx: Any, late: deque[int | None], address: int | None) -> None:
        late.append(address)
        due = late.popleft()
        if due is not None:
            want = data[due * word : (due + 1) * word]
            assert ctx.get(dut.data) == int.from_bytes(want, "little"), due

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(fill, background=True)
    simulator.add_testbench(read)
    simulator.run()


def segments(rng: random.Random, depth: int) -> list[tuple[int, int]]:
    """(first word, words read there): tiles, and between them what is skipped, little or much more
    than the ring holds."""
    at, found = 0, []
    for _ in range(30):
        at += rng.choice((0, 0, 1, rng.randint(2, depth), rng.randint(depth, 4 * depth)))
        found.append((at, 8))
        at += 8
    return found


@pytest.mark.parametrize("machine", SHAPES.values(), ids=SHAPES.keys())
def test_what_is_skipped_may_still_be_on_its_way(machine: MachineConfig) -> None:
    """Released long before it arrives, or when it is there already; older releases change
    nothing."""
    dut, rng = Ring(machine), random.Random(3)
    tiles, word = segments(rng, Ring(machine).depth), machine.word_bytes
    words = tiles[-1][0] + 8
    data = rng.randbytes(words * word)
    data += bytes(-len(data) % BEAT_BYTES)

    async def fill(ctx: Any) -> None:
        for at in range(0, len(data), BEAT_BYTES):
            payload = int.from_bytes(data[at : at + BEAT_BYTES], "little")
            ctx.set(dut.beats.payload, payload)
            ctx.set(dut.beats.valid, 1)
            await ctx.tick().until(dut.beats.ready)
            if rng.random() < 0.1:
                ctx.set(dut.beats.valid, 0)
                await ctx.tick().repeat(rng.randint(1, 8))
        ctx.set(dut.beats.valid, 0)

    async def release(ctx: Any, to: int) -> None:
        ctx.set(dut.release, 1)
        ctx.set(dut.release_to, to)
        await ctx.tick()
        ctx.set(dut.release, 0)

    async def read(ctx: Any) -> None:
        before = 0
        for first, count in tiles:
            if rng.random() < 0.5:
                await ctx.tick().repeat(rng.randint(1, 60))
            assert ctx.get(dut.head) <= before + dut.depth  # nothing was overwritten
            await release(ctx, first)
            await release(ctx, rng.randint(max(0, first - 4 * dut.depth), first))
            while ctx.get(dut.head) < first + count:
                await ctx.tick()
            for address in range(first, first + count):
                ctx.set(dut.address, address)
                await ctx.tick().repeat(Ring.LATENCY)
                want = int.from_bytes(data[address * word : (address + 1) * word], "little")
                assert ctx.get(dut.data) == want, address
            before = first

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(fill, background=True)
    simulator.add_testbench(read)
    simulator.run()


def test_a_ring_without_releases_fills_and_stops() -> None:
    dut = Ring(SHAPES["three quarters of a beat"])

    async def fill(ctx: Any) -> None:
        ctx.set(dut.beats.valid, 1)
        for want in (dut.depth, dut.depth + 3):
            await ctx.tick().repeat(4 * dut.depth)
            assert (ctx.get(dut.head), ctx.get(dut.full)) == (want, 1)
            ctx.set(dut.release, 1)
            ctx.set(dut.release_to, 3)
            await ctx.tick()
            ctx.set(dut.release, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(fill)
    simulator.run()


def test_what_is_kept_is_not_released() -> None:
    """Behind the floor nothing is given back, until it moves; older releases change nothing."""
    dut = Ring(SHAPES["three quarters of a beat"])

    async def release(ctx: Any, to: int) -> None:
        ctx.set(dut.release, 1)
        ctx.set(dut.release_to, to)
        await ctx.tick()
        ctx.set(dut.release, 0)
        await ctx.tick().repeat(4 * dut.depth)

    async def fill(ctx: Any) -> None:
        ctx.set(dut.beats.valid, 1)
        await ctx.tick().repeat(4 * dut.depth)
        ctx.set(dut.kept, 1)
        ctx.set(dut.floor, 5)
        for to, given in ((8, 0), (3, 3), (8, 3), (5, 5), (4, 5), (6, 5)):
            await release(ctx, to)
            assert ctx.get(dut.head) == dut.depth + given
        ctx.set(dut.floor, 7)
        await release(ctx, 6)
        assert ctx.get(dut.head) == dut.depth + 6
        ctx.set(dut.kept, 0)
        await release(ctx, 9)
        assert ctx.get(dut.head) == dut.depth + 9

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(fill)
    simulator.run()


def test_depth_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="ring_bytes must be 16 to"):
        Ring(MachineConfig(name="d", ring_bytes=1000))


def test_presets_have_rings() -> None:
    assert Ring(machine_preset("zcu104")).depth == 3072
