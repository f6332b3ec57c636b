"""Every limit and every address window is checked, and the message names command and operand."""

from dataclasses import replace

import pytest

from m3vit.hw.commands.check import Windows, check_program
from m3vit.hw.commands.extent import reads_of
from m3vit.hw.commands.fields import Base, Flag, Op, Store
from m3vit.hw.commands.word import Command
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import CommandError
from m3vit.hw.machine import MACHINES
from tests.support.random_models import random_model

MINI = MACHINES["mini"]
CONFIG = ModelConfig(
    name="micro",
    image_height=32,
    image_width=32,
    width=96,
    heads=3,
    blocks=2,
    experts=4,
    top_k=2,
    head_width=16,
    tasks=(TaskConfig(name="depth", kind=TaskKind.DEPTH, channels=1),),
)
PROGRAM = emit_program(random_model(CONFIG, 0), MINI)
WINDOWS: Windows = {
    Base.PACKAGE: len(PROGRAM.memory.data),
    Base.IMAGE: 4 * 768,
    Base.RESULT: 5 * 96 * 2,
    Base.TRACE: PROGRAM.trace.size,
}


def _changed(op: Op, **operands: int) -> list[Command]:
    """The program with operands of its first ``op`` changed."""
    commands = list(PROGRAM.commands)
    at = next(i for i, command in enumerate(commands) if command.op is op)
    commands[at] = replace(commands[at], operands={**commands[at].operands, **operands})
    return commands


def test_what_the_compiler_emits_is_accepted() -> None:
    check_program(PROGRAM.commands, MINI, WINDOWS)


@pytest.mark.parametrize("base", Base)
def test_a_window_one_byte_short_is_refused(base: Base) -> None:
    # The last region of the package belongs to the heads, which no command reads.
    reads = (extent for command in PROGRAM.commands for extent in reads_of(command, MINI))
    needed = max(extent.end for extent in reads if extent.base is Base.PACKAGE)
    size = needed if base is Base.PACKAGE else WINDOWS[base]
    check_program(PROGRAM.commands, MINI, {**WINDOWS, base: size})
    short = size - 1 if base is not Base.TRACE else max(r.offset for r in PROGRAM.trace.regions)
    with pytest.raises(CommandError, match=f"{base.name.lower()} window is"):
        check_program(PROGRAM.commands, MINI, {**WINDOWS, base: short})


def test_without_a_trace_window_dumps_are_not_checked() -> None:
    windows = {base: size for base, size in WINDOWS.items() if base is not Base.TRACE}
    check_program(PROGRAM.commands, MINI, windows)


@pytest.mark.parametrize(
    ("op", "operand", "value"),
    [
        (Op.CONFIG, "contract", 9),
        (Op.CONFIG, "digest", 1),
        (Op.CONFIG, "width", 208),
        (Op.CONFIG, "top_k", 5),
        (Op.NORM, "width", 0),
        (Op.NORM, "shift", 41),
        (Op.GEMM, "shift", 0),
        (Op.GEMM, "inner", 0),
        (Op.GEMM, "outputs", 193),
        (Op.GEMM, "post", 3),
        (Op.ATTN, "heads", 4),
        (Op.ATTN, "head_dim", 0),
        (Op.ATTN, "gain_shift1", 7),
        (Op.GATE, "experts", 17),
        (Op.GATE, "top_k", 5),
        (Op.EXPERTS, "experts", 0),
        (Op.EXPERTS, "shift2", 41),
    ],
)
def test_a_value_beyond_its_limit_is_named(op: Op, operand: str, value: int) -> None:
    with pytest.raises(CommandError, match=rf"command \d+ \({op.name}\): {operand} is"):
        check_program(_changed(op, **{operand: value}), MINI, WINDOWS)


def test_too_many_tokens_and_a_full_store_are_refused() -> None:
    commands = list(PROGRAM.commands)
    commands[0] = replace(commands[0], tokens=300)
    with pytest.raises(CommandError, match="tokens is 300, expected at most 256"):
        check_program(commands, MINI, WINDOWS)
    tight = replace(MINI, activation_bytes=400)
    program = emit_program(random_model(CONFIG, 0), tight)
    with pytest.raises(CommandError, match="tokens x width / 128 is 6, expected at most 4"):
        check_program(program.commands, tight, WINDOWS)


@pytest.mark.parametrize("side", ["src", "dst"])
def test_stores_that_no_wire_connects_are_refused(side: str) -> None:
    commands = list(PROGRAM.commands)
    at = next(i for i, command in enumerate(commands) if command.op is Op.NORM)
    commands[at] = replace(commands[at], **{side: Store.PLAN})
    with pytest.raises(CommandError, match=r"\(NORM\): route is"):
        check_program(commands, MINI, WINDOWS)


def test_position_and_width_are_consistent() -> None:
    commands = list(PROGRAM.commands)
    with pytest.raises(CommandError, match="CONFIG first and END last only"):
        check_program([commands[0], commands[-1], *commands[1:]], MINI, WINDOWS)
    with pytest.raises(CommandError, match="width is 64, expected 96 as in CONFIG"):
        check_program(_changed(Op.NORM, width=64), MINI, WINDOWS)
    with pytest.raises(CommandError, match="CONFIG first and END last"):
        check_program([], MINI, WINDOWS)


def test_only_dumps_are_trace_only() -> None:
    traced = [command for command in PROGRAM.commands if command.flags & Flag.TRACE_ONLY]
    assert traced and all(command.op is Op.DMA for command in traced)
