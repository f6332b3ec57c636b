"""A small complete machine runs a nano image: every layer equals the executor; then everything
that may go wrong, each time followed by a good run."""

import random
from dataclasses import replace
from functools import cache
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from m3vit.hw.commands.extent import reads_of
from m3vit.hw.commands.fields import WORD_BYTES, Base
from m3vit.hw.commands.rules import LIST_LIMIT
from m3vit.hw.commands.word import encode
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.formats import Int8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.top import Top
from tests.rtl.bench.runner import run_bench, verilator_only
from tests.rtl.bench.system import BUFFER, LIST, System
from tests.support.random_models import random_image, random_model

MACHINE = MachineConfig(
    name="nano",
    groups=1,
    rows=8,
    columns=16,
    accumulator_pairs=16,
    normal_block_pairs=8,
    score_words=64,
    ring_bytes=16384,
    exponential_lanes=8,
    requantise_lanes=16,
    layernorm_lanes=8,
    combine_lanes=8,
    activation_bytes=2 * 64 * 128,
    max_tokens=32,
    max_width=64,
    max_experts=4,
    max_top_k=2,
)
CONFIG = ModelConfig(
    name="nano",
    image_height=16,
    image_width=32,
    width=32,
    heads=2,
    blocks=2,
    mlp_ratio=2,
    experts=3,
    top_k=2,
    head_width=16,
    tasks=tuple(TaskConfig(name=n, kind=TaskKind.DEPTH, channels=1) for n in ("near", "far")),
)


@cache
def program() -> Program:
    return emit_program(random_model(CONFIG, 5), MACHINE)


def image(seed: int) -> Int8:
    return patches(random_image(CONFIG, seed), CONFIG.patch)


async def ready(dut: Any) -> System:
    system = System(dut, program())
    await system.begin()
    return system


@cocotb.test()
async def images_and_tasks_equal_the_executor(dut: Any) -> None:
    """Back to back, every layer of the first; then the first again while memory stalls."""
    system = await ready(dut)
    await system.good_run(image(1), 0, "TRACE")
    await system.good_run(image(2), 1)
    system.stall(random.Random(1), 0.05)
    await system.good_run(image(1), 0)


def alike() -> Program:
    """All tasks have the same gates, so that they route alike."""
    model = random_model(CONFIG, 6)
    blocks = tuple(replace(b, gates=b.gates[:1] * len(b.gates)) for b in model.blocks)
    return emit_program(replace(model, blocks=blocks), MACHINE)


@cocotb.test()
async def a_change_of_task_costs_no_cycle(dut: Any) -> None:
    system = System(dut, alike())
    await system.begin()
    cycles = []
    for task in (0, 1, 0, 0):
        await system.good_run(image(1), task)
        cycles.append(await system.read("COUNT_CYCLES_LO"))
    assert cycles == cycles[:1] * 4


def where(address: int) -> set[int]:
    """Commands that read ``address``."""
    if address >= LIST:
        return {(address - LIST) // WORD_BYTES}
    base, offset = Base(address // BUFFER), address % BUFFER
    extents = enumerate(tuple(reads_of(each, MACHINE)) for each in program().commands)
    return {
        index
        for index, found in extents
        if any(e.base is base and e.start <= offset < e.end for e in found)
    }


@cocotb.test()
async def memory_errors_stop_the_machine(dut: Any) -> None:
    """At the first command, in weights, in the image, at the end; and on write."""
    system, rng = await ready(dut), random.Random(2)
    await system.good_run(image(1), 0)
    reads, writes = system.memory.reads, system.memory.writes
    points = [2, reads - 1, *(rng.randrange(3, reads) for _ in range(4))]
    for point in points:
        system.memory.forgive()
        system.memory.fails_read = point
        await system.go(image(1), 0)
        await system.idle()
        code, index = await system.error()
        assert code is ErrorCode.READ_ERROR and index in where(system.memory.failed_at)
        assert await system.status("ERROR") and not await system.status("DONE")
    system.memory.forgive()
    system.memory.fails_write = rng.randrange(1, writes + 1)
    await system.go(image(1), 0)
    await system.idle()
    assert await system.error() == (ErrorCode.WRITE_ERROR, len(program().commands) - 2)
    system.memory.forgive()
    await system.control("SOFT_RESET")
    assert await system.error() == (ErrorCode.NONE, 0)
    await system.good_run(image(2), 1)


@cocotb.test()
async def soft_reset_at_any_time(dut: Any) -> None:
    """Not a byte of the result is written after it; the next run is as if nothing had been."""
    system, rng = await ready(dut), random.Random(3)
    await system.good_run(image(1), 0)
    for wait in (1, 130, *(rng.randrange(150, 6000) for _ in range(5))):
        await system.go(image(2), 1)
        await ClockCycles(dut.clk, wait)
        await system.control("SOFT_RESET")
        await system.idle(2000)
        assert await system.error() == (ErrorCode.NONE, 0)
        assert not await system.status("DONE")
    await system.good_run(image(1), 0)


@cocotb.test()
async def a_start_while_busy_stops(dut: Any) -> None:
    system = await ready(dut)
    for wait in (0, 3000):
        await system.go(image(1), 0)
        await ClockCycles(dut.clk, wait)
        index = await system.read("COMMAND_INDEX")
        await system.control("START")
        await system.idle(2000)
        code, at = await system.error()
        assert code is ErrorCode.START_WHILE_BUSY and at - index in (0, 1)
        assert not await system.status("DONE")
    await system.control("SOFT_RESET")
    await system.good_run(image(1), 0)


@cocotb.test()
async def refused_lists_move_nothing(dut: Any) -> None:
    """The last command is wrong: not a byte of weights or image is read."""
    system = await ready(dut)
    words = [encode(command) for command in program().commands]
    bad = bytes([63]) + words[-1][1:]
    lists = [
        ([*words[:-1], bad], len(words), ErrorCode.UNKNOWN_OPERATION, len(words) - 1),
        (words[:-1], len(words) - 1, ErrorCode.LIST_OVERRUN, len(words) - 1),
        (words, 0, ErrorCode.LIST_OVERRUN, 0),
        (words, LIST_LIMIT + 1, ErrorCode.LIST_OVERRUN, LIST_LIMIT),
    ]
    for given, count, code, index in lists:
        system.memory.forgive()
        await system.give(given, count)
        await system.go(image(1), 0)
        await system.idle(5000)
        assert await system.error() == (code, index)
        assert system.memory.reads <= 2 * len(words)
    window = await system.read("WINDOW_RESULT")
    await system.give(words)
    await system.write("WINDOW_RESULT", 0)
    await system.go(image(1), 0)
    await system.idle(5000)
    assert await system.error() == (ErrorCode.ADDRESS_WINDOW, len(words) - 2)
    await system.write("WINDOW_RESULT", window)
    await system.good_run(image(1), 0)


@cocotb.test()
async def a_memory_that_never_answers(dut: Any) -> None:
    """The registers answer, a soft reset waits for the bursts, and ends when they come."""
    system = await ready(dut)
    await system.go(image(1), 0)
    await ClockCycles(dut.clk, 2000)
    system.stall(random.Random(0), 1)
    await ClockCycles(dut.clk, 4000)
    assert await system.status("BUSY") and not await system.status("DRAINING")
    await system.control("SOFT_RESET")
    await ClockCycles(dut.clk, 2000)
    assert await system.status("BUSY") and await system.status("DRAINING")
    system.stall(random.Random(0), 0)
    await system.idle(2000)
    await system.good_run(image(1), 0)


TESTS = (
    "images_and_tasks_equal_the_executor",
    "a_change_of_task_costs_no_cycle",
    "memory_errors_stop_the_machine",
    "soft_reset_at_any_time",
    "a_start_while_busy_stops",
    "refused_lists_move_nothing",
    "a_memory_that_never_answers",
)


@verilator_only("too large for Icarus Verilog")
def test_nano_machine() -> None:
    run_bench(Top(MACHINE), __name__, TESTS)
