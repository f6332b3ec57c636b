"""Fetch: the regions of a compiled list in program order, and of the live experts only."""

import random
from collections.abc import Iterator
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.commands.extent import reads_of
from m3vit.hw.commands.fields import Flag, Op
from m3vit.hw.commands.word import Command, encode
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.layout.sizes import aligned, expert_bytes, gelu_bytes
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.rtl.fetch import Fetch
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import bench_settings, run_bench
from tests.support.random_models import random_model

BASE = 0x12_3456_7000
BEAT = 16
CONFIG = ModelConfig(
    name="micro",
    image_height=32,
    image_width=48,
    width=96,
    heads=3,
    blocks=4,
    experts=8,
    top_k=2,
    expert_ratio=2,
    head_width=16,
    tasks=tuple(TaskConfig(name=n, kind=TaskKind.DEPTH, channels=1) for n in "abc"),
)
Region = tuple[int, int]


def routed(command: Command) -> bool:
    return command.op is Op.EXPERTS and not command.flags & Flag.IDENTITY


def of_command(command: Command, machine: MachineConfig, task: int, live: int) -> Iterator[Region]:
    """Address and bytes of what is streamed for ``command``."""
    if command.op is not Op.EXPERTS:
        for extent in reads_of(command, machine, task):
            if command.op is not Op.DMA:
                yield BASE + extent.start, extent.size
        return
    yield BASE + command["gelu"], gelu_bytes(machine)
    size = aligned(expert_bytes(machine, command["width"], command["hidden"]), machine.stream_unit)
    for expert in range(command["experts"]):
        if not routed(command) or live >> expert & 1:
            yield BASE + command["weights"] + expert * command["stride"], size


class Bench:
    """The list and the plans around the unit."""

    def __init__(self, dut: Any, program: Program, rng: random.Random) -> None:
        self.dut, self.rng = dut, rng
        self.words = [int.from_bytes(encode(command), "little") for command in program.commands]
        self.asked: list[Region] = []

    async def begin(self, task: int) -> None:
        d = self.dut
        for name in ("start", "word", "ready", "plans", "live"):
            getattr(d, name).value = 0
        d.base.value, d.task.value = BASE, task
        await start(d)
        d.start.value = 1
        await self.cycle()
        d.start.value = 0

    async def cycle(self) -> None:
        d = self.dut
        d.ready.value = int(self.rng.random() < 0.6)
        await ReadOnly()
        if int(d.valid.value) and int(d.ready.value):
            self.asked.append((int(d.address.value), BEAT * int(d.beats.value)))
        index = int(d.index.value)
        await RisingEdge(d.clk)
        await Timer(1, "ns")
        d.word.value = self.words[index] if index < len(self.words) else 0

    async def until(self, count: int) -> None:
        """Until so many regions have been asked for, then some cycles more."""
        for _ in range(4000):
            if len(self.asked) >= count:
                break
            await self.cycle()
        for _ in range(self.rng.randrange(20, 60)):
            await self.cycle()


@cocotb.test()
async def regions_follow_the_list(dut: Any) -> None:
    """Nothing of a mixture is asked for before its plan; then its live experts, ascending."""
    machine = machine_preset(bench_settings()["machine"])
    program, rng = emit_program(random_model(CONFIG, 1), machine), random.Random(80)
    for task in range(3):
        bench = Bench(dut, program, rng)
        await bench.begin(task)
        wanted: list[Region] = []
        plans = loaded = 0
        for command in program.commands:
            live = rng.choice((1, 1 << 7, 0xFF, rng.randrange(1, 256)))
            regions = list(of_command(command, machine, task, live))
            if routed(command):
                wanted.append(regions.pop(0))
                await bench.until(len(wanted))
                assert bench.asked == wanted
                plans += 1
                dut.live.value, dut.plans.value = live, plans
            loaded += len(regions) - (not routed(command)) if command.op is Op.EXPERTS else 0
            wanted += regions
            if routed(command):
                await bench.until(len(wanted))
        await bench.until(len(wanted))
        assert bench.asked == wanted
        assert int(dut.loaded.value) == loaded


@pytest.mark.parametrize("name", ["mini", "zcu104"])
def test_fetch(name: str) -> None:
    run_bench(Fetch(machine_preset(name)), __name__, ("regions_follow_the_list",), machine=name)
