"""The checks against hw.commands.check: the same verdict on lists that are wrong somewhere."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.commands.check import first_error
from m3vit.hw.commands.fields import Base
from m3vit.hw.commands.rules import LIST_LIMIT, PRECEDENCE
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.machine import machine_preset
from m3vit.rtl.checks import Checks
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import bench_settings, run_bench
from tests.support.mutated_lists import Case, excerpt, fitted, mutated, valid_case
from tests.support.random_models import random_model

CONFIG = ModelConfig(
    name="micro",
    image_height=48,
    image_width=64,
    width=96,
    heads=3,
    blocks=2,
    experts=8,
    top_k=2,
    expert_ratio=2,
    head_width=16,
    tasks=tuple(TaskConfig(name=n, kind=TaskKind.DEPTH, channels=1) for n in ("near", "far")),
)
CASES = 1000


def sizes(program: Program) -> dict[Base, int]:
    return {
        Base.PACKAGE: len(program.memory.data),
        Base.IMAGE: (CONFIG.tokens - 1) * CONFIG.patch_elements,
        Base.RESULT: 2 * CONFIG.tokens * CONFIG.width,
        Base.TRACE: program.trace.size,
    }


def cases(name: str, count: int) -> Iterator[Case]:
    """Valid lists first, then with one to three things changed."""
    machine, rng = machine_preset(name), random.Random(31)
    program = emit_program(random_model(CONFIG, 0), machine)
    whole = valid_case(program.commands, sizes(program))
    yield whole
    for number in range(count):
        chosen = excerpt(rng, program.commands, 5)
        case = valid_case(chosen, sizes(program))
        if rng.random() < 0.5:
            case = fitted(case, chosen, machine)
        for _ in range(min(number // 20, rng.choice((1, 1, 1, 2, 3)))):
            case = mutated(rng, case, machine)
        yield case


async def tick(dut: Any) -> None:
    await RisingEdge(dut.clk)
    await Timer(1, "ns")


async def give(dut: Any, case: Case, count: int) -> None:
    """Reset, registers, start."""
    dut.valid.value, dut.start.value, dut.rst.value = 0, 0, 1
    dut.windows.value = sum(size << 32 * i for i, size in enumerate(case.windows))
    dut.task.value, dut.traced.value, dut.count.value = case.task, int(case.trace), count
    await tick(dut)
    dut.rst.value, dut.start.value = 0, 1
    await ReadOnly()
    accepted = int(dut.accept.value)
    await tick(dut)
    dut.start.value = 0
    assert accepted == (0 < count <= LIST_LIMIT)


async def verdict(dut: Any, case: Case) -> tuple[int, int] | None:
    """Code and index, None if the list passed."""
    await give(dut, case, len(case.words))
    for cycle in range(len(case.words) + Checks.LATENCY + 1):
        given = cycle < len(case.words)
        dut.valid.value = int(given)
        if given:
            dut.word.value = int.from_bytes(case.words[cycle], "little")
        await ReadOnly()
        passed, failed = int(dut.passed.value), int(dut.failed.value)
        found = (int(dut.code.value), int(dut.index.value))
        await tick(dut)
        if passed or failed:
            assert not (passed and failed)
            return found if failed else None
    raise AssertionError("no verdict")


@cocotb.test()
async def lists_are_judged_as_by_the_reference(dut: Any) -> None:
    name = bench_settings()["machine"]
    machine, seen = machine_preset(name), Counter[ErrorCode | None]()
    await start(dut)
    for number, case in enumerate(cases(name, CASES)):
        want = first_error(case.words, machine, case.window_bytes, case.task)
        got = await verdict(dut, case)
        expected = want and (want.code, want.index)
        assert got == expected, f"case {number}: {got}, expected {expected}: {want}"
        seen[want.code if want else None] += 1
    assert seen[None] > 100 and all(seen[code] > 1 for code in PRECEDENCE), seen


@cocotb.test()
async def lists_of_a_wrong_length_are_not_read(dut: Any) -> None:
    await start(dut)
    case = Case(words=(), windows=(0, 0, 0, 0))
    for count, index in ((0, 0), (LIST_LIMIT + 1, LIST_LIMIT), (1 << 16, LIST_LIMIT)):
        await give(dut, case, count)
        assert int(dut.failed.value) and int(dut.code.value) == ErrorCode.LIST_OVERRUN
        assert int(dut.index.value) == index


TESTS = ("lists_are_judged_as_by_the_reference", "lists_of_a_wrong_length_are_not_read")


@pytest.mark.parametrize("name", ["mini", "zcu104"])
def test_checks_equal_the_reference(name: str) -> None:
    run_bench(Checks(machine_preset(name)), __name__, TESTS, machine=name)
