"""Fetch without reordering: experts as they are wanted, between the regions of the list."""

import random
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.commands.fields import Base
from m3vit.hw.commands.order import in_token_order
from m3vit.hw.layout.sizes import aligned, expert_bytes
from m3vit.hw.machine import machine_preset
from m3vit.rtl.fetch import Fetch
from tests.rtl.bench.runner import bench_settings, run_bench
from tests.rtl.test_fetch import CONFIG, Bench, Twin, commands_of, decisions_of, region, routed


async def wait_until_taken(dut: Any, signal: Any, rng: random.Random) -> None:
    for _ in range(rng.choice((0, 0, 1, 20))):
        await RisingEdge(dut.clk)
    await Timer(1, "ns")
    signal.value = 1
    while True:
        await ReadOnly()
        taken = int(dut.taken.value)
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        if taken:
            signal.value = 0
            return


async def want(dut: Any, blocks: list[list[int]], rng: random.Random) -> None:
    """The experts of each block as soon as its plan is known, some sooner than others."""
    for number, experts in enumerate(blocks):
        while int(dut.decided.value) != number + 1:
            await RisingEdge(dut.clk)
        for expert in experts:
            dut.expert.value = expert
            await wait_until_taken(dut, dut.want, rng)
        await wait_until_taken(dut, dut.last, rng)


@cocotb.test()
async def regions_are_those_wanted(dut: Any) -> None:
    machine, rng = machine_preset(bench_settings()["machine"]), random.Random(82)
    commands = list(in_token_order(commands_of(machine, True)))
    for share in (0.0, 0.5, 0.95):
        blocks = sum(map(routed, commands))
        decisions = [replace(one, after=min(one.after, 0)) for one in decisions_of(rng, blocks)]
        wants = [[rng.randrange(CONFIG.experts) for _ in range(n)] for n in (1, 30)]
        assert len(wants) == blocks
        bench = Bench(dut, commands, decisions, rng, share)
        for name in ("want", "last", "expert"):
            getattr(dut, name).value = 0
        await bench.begin(0)
        wanter = cocotb.start_soon(want(dut, wants, rng))
        await bench.run()
        assert wanter.done() and bench.early == [0] * len(wants)
        twin, expected, number = Twin(machine, 0), [], 0
        for command in commands:
            expected += list(twin.of(command, 0, 0))
            if routed(command):
                size = expert_bytes(machine, command["width"], command["hidden"])
                for expert in wants[number]:
                    at = command["weights"] + expert * command["stride"]
                    expected.append(region(Base.PACKAGE, at, aligned(size, machine.stream_unit)))
                number += 1
        wrong = [pair for pair in zip_longest(bench.asked, expected) if pair[0] != pair[1]]
        assert not wrong, f"(asked, expected) {wrong[0]}, {len(wrong)} in all"
        loaded = twin.loaded + sum(map(len, wants))
        assert (int(dut.loaded.value), int(dut.dropped.value)) == (loaded, 0)


@pytest.mark.parametrize("name", ["mini", "zcu104"])
def test_fetch_in_token_order(name: str) -> None:
    run_bench(Fetch(machine_preset(name)), __name__, ("regions_are_those_wanted",), machine=name)
