"""Fetch: the regions of a compiled list in program order; experts ahead of the plan or behind it,
then live ones only; the same cycles for every task."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.commands.extent import reads_of
from m3vit.hw.commands.fields import Base, Flag, Op
from m3vit.hw.commands.word import Command, encode
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.layout.sizes import aligned, expert_bytes, gelu_bytes
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.rtl.fetch import Fetch
from m3vit.rtl.ring import BEAT_BYTES
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import bench_settings, run_bench
from tests.support.random_models import random_model

BASES = (0x12_3456_7000, 0x40, 0xFFFF_F000_0000, 0x8000_0000)
TASKS = (0, 1, 2, 170, 255)
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
EARLIER = -1
"""The plan is there before its EXPERTS command is reached."""


@dataclass(frozen=True, kw_only=True)
class Region:
    address: int
    lines: int
    rows: bool = False


def routed(command: Command) -> bool:
    return command.op is Op.EXPERTS and not command.flags & Flag.IDENTITY


def region(base: Base, at: int, size: int, rows: bool = False) -> Region:
    return Region(address=BASES[base] + at, lines=-(-size // BEAT_BYTES), rows=rows)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """When the plan of one block comes, and whose experts live."""

    live: int
    after: int
    """Given when so many experts have been asked for, or EARLIER."""


@dataclass
class Twin:
    """Every region that must be asked for, from what is known of the decisions."""

    machine: MachineConfig
    task: int
    loaded: int = 0
    dropped: int = 0

    def of(self, command: Command, live: int, early: int) -> Iterator[Region]:
        """Regions of ``command``, ``early`` of whose experts went before the plan."""
        if command.op is not Op.EXPERTS:
            for extent in reads_of(command, self.machine, self.task):
                yield region(extent.base, extent.start, extent.size, command.op is Op.DMA)
            return
        yield region(Base.PACKAGE, command["gelu"], gelu_bytes(self.machine))
        size = expert_bytes(self.machine, command["width"], command["hidden"])
        for expert in range(command["experts"]):
            alive = bool(live >> expert & 1) or not routed(command)
            if alive or expert < early:
                self.loaded += 1
                self.dropped += not alive
                at = command["weights"] + expert * command["stride"]
                yield region(Base.PACKAGE, at, aligned(size, self.machine.stream_unit))


@dataclass
class Bench:
    """The list and the plans around the unit; ``share`` of the cycles refuse a region."""

    dut: Any
    commands: Sequence[Command]
    decisions: list[Decision]
    rng: random.Random
    share: float
    asked: list[Region] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    early: list[int] = field(default_factory=list)
    here: list[int] = field(default_factory=list)
    """Regions asked for by command."""

    async def begin(self, task: int) -> None:
        d = self.dut
        self.words = [int.from_bytes(encode(command), "little") for command in self.commands]
        self.routed = [i for i, command in enumerate(self.commands) if routed(command)]
        self.here, self.now = [0] * len(self.words), 0
        for name in ("start", "word", "ready", "plans", "live"):
            getattr(d, name).value = 0
        d.bases.value = sum(base << 48 * i for i, base in enumerate(BASES))
        d.task.value = task
        await start(d)
        d.start.value = 1
        await self.cycle()
        d.start.value = 0

    def decide(self, index: int) -> None:
        """Give the next plan if it is time; before that nobody may look at ``live``."""
        d, number = self.dut, int(self.dut.plans.value)
        if number == len(self.routed) or (number and index <= self.routed[number - 1]):
            return  # the last plan is still needed
        at, decision = self.routed[number], self.decisions[number]
        comes = self.here[at] > decision.after if decision.after > EARLIER else index >= at - 1
        if comes:
            d.live.value, d.plans.value = decision.live, number + 1
        else:
            d.live.value = self.rng.randrange(1 << CONFIG.experts)

    async def cycle(self) -> None:
        d = self.dut
        d.ready.value = int(self.rng.random() >= self.share)
        await ReadOnly()
        index = int(d.index.value)
        if int(d.valid.value) and int(d.ready.value):
            rows = bool(int(d.rows.value))
            one = Region(address=int(d.address.value), lines=int(d.lines.value), rows=rows)
            self.asked.append(one)
            self.times.append(self.now)
            self.here[index] += 1
        decided = int(d.decided.value)
        self.now += 1
        await RisingEdge(d.clk)
        await Timer(1, "ns")
        d.word.value = self.words[index] if index < len(self.words) else 0
        if int(d.decided.value) != decided:
            assert int(d.decided.value) == decided + 1 == len(self.early) + 1
            assert int(d.early.value) == self.here[index] - 1
            self.early.append(int(d.early.value))
        self.decide(index)

    async def run(self) -> None:
        """To END, then some cycles in which nothing may happen."""
        end = len(self.words) - 1
        for _ in range(6000):
            if int(self.dut.index.value) == end:
                break
            await self.cycle()
        else:
            raise AssertionError(f"stuck at command {int(self.dut.index.value)}")
        for _ in range(50):
            await self.cycle()


def commands_of(machine: MachineConfig, speculate: bool) -> list[Command]:
    commands = emit_program(random_model(CONFIG, 1), machine).commands
    if speculate:
        return list(commands)
    return [replace(command, flags=command.flags & ~Flag.SPECULATE) for command in commands]


def decisions_of(rng: random.Random, blocks: int) -> list[Decision]:
    """Every extreme comes up: no expert early, all, the plan there before; one alive, all."""
    every = (1 << CONFIG.experts) - 1
    return [
        Decision(
            live=rng.choice((1, 1 << 7, every, rng.randrange(1, every))),
            after=rng.choice((EARLIER, 0, CONFIG.experts, rng.randrange(1, CONFIG.experts))),
        )
        for _ in range(blocks)
    ]


async def check_run(
    dut: Any, machine: MachineConfig, task: int, speculate: bool, rng: random.Random
) -> None:
    commands = commands_of(machine, speculate)
    decisions = decisions_of(rng, sum(map(routed, commands)))
    if not speculate:
        decisions = [replace(one, after=min(one.after, 0)) for one in decisions]
    bench = Bench(dut, commands, decisions, rng, rng.choice((0.0, 0.4, 0.9)))
    await bench.begin(task)
    await bench.run()
    assert len(bench.early) == len(decisions)
    twin, want, number = Twin(machine, task), [], 0
    for command in commands:
        live, early = 0, 0
        if routed(command):
            live, early = decisions[number].live, bench.early[number]
            # none before a plan that was there, all it asked for before one that came late
            assert early >= decisions[number].after or not speculate
            assert early == 0 or decisions[number].after != EARLIER
            assert speculate or early == 0
            number += 1
        want += list(twin.of(command, live, early))
    wrong = [pair for pair in zip_longest(bench.asked, want) if pair[0] != pair[1]]
    assert not wrong, f"(asked, expected) {wrong[0]}, {len(wrong)} in all"
    assert (int(dut.loaded.value), int(dut.dropped.value)) == (twin.loaded, twin.dropped)


@cocotb.test()
async def regions_follow_the_list(dut: Any) -> None:
    machine, rng = machine_preset(bench_settings()["machine"]), random.Random(80)
    for speculate in (True, False, True):
        for task in TASKS:
            await check_run(dut, machine, task, speculate, rng)


@cocotb.test()
async def cycles_do_not_depend_on_the_task(dut: Any) -> None:
    machine = machine_preset(bench_settings()["machine"])
    commands = commands_of(machine, True)
    times = []
    for task in TASKS:
        rng = random.Random(81)
        decisions = decisions_of(rng, sum(map(routed, commands)))
        bench = Bench(dut, commands, decisions, rng, 0.3)
        await bench.begin(task)
        await bench.run()
        times.append(bench.times)
    assert times == [times[0]] * len(TASKS)


@pytest.mark.parametrize("name", ["mini", "zcu104"])
def test_fetch(name: str) -> None:
    tests = ("regions_follow_the_list", "cycles_do_not_depend_on_the_task")
    run_bench(Fetch(machine_preset(name)), __name__, tests, machine=name)
