"""Lists that are wrong somewhere, on the whole small machine: refused as by the reference, or run.

A list that passes the checks and reads its weights as they were written gives the executor's
result, whatever its shifts, gains, blocks and loop orders are.  One that makes no sense (its
results are not published, a plan is missing) may wait for ever; a soft reset ends it, and the next
good list runs as if nothing had been.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from m3vit.hw.commands.check import first_error
from m3vit.hw.commands.fields import WORD_BYTES, Base
from m3vit.hw.commands.word import decode
from m3vit.hw.compiler.builder import Program
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import M3vitError
from m3vit.hw.executor.engine import Engine, image_bytes
from m3vit.hw.formats import UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.registers import BASES, BY_NAME, WINDOW_UNIT
from m3vit.sim.rtl.platform import RtlPlatform, open_platform
from tests.support.mutated_lists import Case, mutated, valid_case
from tests.support.random_models import random_image, random_model

pytestmark = pytest.mark.slow

MACHINE = machine_preset("mini")
CONFIG = ModelConfig(
    name="micro",
    image_height=32,
    image_width=48,
    width=64,
    heads=2,
    blocks=2,
    mlp_ratio=2,
    experts=6,
    top_k=2,
    head_width=16,
    tasks=tuple(TaskConfig(name=n, kind=TaskKind.DEPTH, channels=1) for n in ("near", "far")),
)
CASES = 400
END_S = 200_000 / (MACHINE.clock_mhz * 1e6)
"""Of a run; a good one takes a tenth."""
FREE = ("shift", "score_shift", "gain", "epsilon", "guard", "panels_group", "status")
"""Operands that change the numbers or the order of the work, not what is read."""
LIST_BYTES = 1024 * WORD_BYTES


class Board:
    """A driver of raw lists: buffers, registers, outcomes."""

    def __init__(self, platform: RtlPlatform, program: Program) -> None:
        self.platform, self.program = platform, program
        config = program.model.config
        self.sizes = {
            Base.PACKAGE: len(program.memory.data),
            Base.IMAGE: (config.tokens - 1) * config.patch_elements,
            Base.RESULT: 2 * config.tokens * config.width,
            Base.TRACE: program.trace.size,
        }
        self.at = {base: platform.allocate(size).address for base, size in self.sizes.items()}
        self.good = replace(valid_case(program.commands, self.sizes), trace=False)
        self.list = platform.allocate(LIST_BYTES).address
        self.tiles = patches(random_image(config, 1), config.patch)
        self.put(self.at[Base.PACKAGE], program.memory.data)
        self.put(self.at[Base.IMAGE], image_bytes(self.tiles).tobytes())
        for base, name in zip(Base, BASES, strict=True):
            self.set(f"BASE_{name}_LO", self.at[base])
        self.set("COMMAND_ADDRESS", (self.list - self.at[Base.PACKAGE]) // WINDOW_UNIT)

    def put(self, address: int, content: bytes) -> None:
        self.platform.dram.window(address, len(content))[:] = np.frombuffer(content, np.uint8)

    def set(self, name: str, value: int) -> None:
        self.platform.write(BY_NAME[name].offset, value)

    def get(self, name: str) -> int:
        return self.platform.read(BY_NAME[name].offset)

    def control(self, *fields: str) -> None:
        register = BY_NAME["CONTROL"]
        self.set("CONTROL", sum(register.field(name).put(1) for name in fields))

    def idle(self) -> bool:
        return bool(BY_NAME["STATUS"].field("IDLE").get(self.get("STATUS")))

    def settles(self) -> bool:
        """Whether it is idle once memory has answered the bursts under way."""
        return any(self.idle() for _ in range(200))

    def run(self, case: Case) -> tuple[int, int] | str:
        """Code and index of an error, "done", or "waits" (then soft reset)."""
        self.put(self.at[Base.RESULT], bytes(self.sizes[Base.RESULT]))
        self.put(self.list, b"".join(case.words).ljust(LIST_BYTES, b"\0"))
        for name, size in zip(BASES, case.windows, strict=True):
            self.set(f"WINDOW_{name}", size)
        self.set("COMMAND_COUNT", len(case.words))
        self.set("TASK", case.task)
        self.set("INTERRUPT_STATUS", 3)
        self.set("INTERRUPT_ENABLE", 3)
        self.control("START", *(("TRACE",) if case.trace else ()))
        self.platform.wait(END_S)
        ended = self.settles()
        if not ended:
            self.control("SOFT_RESET")
            assert self.settles(), "the machine does not come back"
        code = BY_NAME["ERROR"].field("CODE").get(self.get("ERROR"))
        if code:
            return code, self.get("ERROR_COMMAND")
        done = BY_NAME["STATUS"].field("DONE").get(self.get("STATUS"))
        return "done" if ended and done else "waits"

    def result(self) -> UInt8:
        return self.platform.dram.window(self.at[Base.RESULT], self.sizes[Base.RESULT])

    def expected(self, case: Case) -> UInt8 | None:
        """The executor's result; None if it cannot execute the list, or reads other bytes."""
        if _meaning(case) != _meaning(self.good) or case.task >= len(CONFIG.tasks):
            return None
        sizes = {base: size for base, size in self.sizes.items() if base != Base.PACKAGE}
        memory = {base: np.zeros(size, np.uint8) for base, size in sizes.items()}
        memory[Base.IMAGE] = image_bytes(self.tiles)
        if not case.trace:
            del memory[Base.TRACE]
        commands = tuple(decode(word) for word in case.words)
        try:
            Engine(commands, self.program.memory.data, MACHINE).run(memory, case.task)
        except M3vitError:
            return None
        return memory[Base.RESULT]


def _meaning(case: Case) -> list[object]:
    """What weights are read and what they are multiplied with."""
    kept = []
    for word in case.words:
        each = decode(word)
        sizes = {name: v for name, v in each.operands.items() if not name.startswith(FREE)}
        kept.append((each.op, each.src, each.dst, each.tokens, sizes))
    return kept


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    platform = open_platform(MACHINE)
    yield Board(platform, emit_program(random_model(CONFIG, 4), MACHINE))
    platform.close()


def test_every_list_is_refused_or_run(board: Board) -> None:
    rng, seen = random.Random(70), Counter[str]()
    good = board.good
    want = board.expected(good)
    for number in range(CASES):
        case = mutated(rng, good, MACHINE)
        error = first_error(case.words, MACHINE, case.window_bytes, case.task)
        outcome = board.run(case)
        if error is not None:
            seen["refused"] += 1
            assert outcome == (error.code, error.index), f"case {number}: {error}"
        else:
            assert isinstance(outcome, str), f"case {number}: {outcome} for a list that passes"
            result = board.expected(case)
            seen[outcome if result is not None else f"senseless, {outcome}"] += 1
            if outcome == "done" and result is not None:
                np.testing.assert_array_equal(board.result(), result, err_msg=f"case {number}")
        if outcome == "waits" or number % 20 == 0:
            assert board.run(good) == "done"
            np.testing.assert_array_equal(board.result(), want)
    print(dict(seen))
    assert seen["refused"] > CASES // 4 and seen["done"] > CASES // 8
