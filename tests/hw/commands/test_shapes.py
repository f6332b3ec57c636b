"""Commands that would leave a store, or move data the wrong way, are refused by name."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from m3vit.hw.commands.check import Windows, check_program
from m3vit.hw.commands.fields import Base, Element, Flag, Op, Post, Store
from m3vit.hw.commands.word import Command
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.errors import CommandError
from m3vit.hw.machine import MACHINES
from tests.support.packages import MICRO
from tests.support.random_models import random_model

MINI = MACHINES["mini"]
PROGRAM = emit_program(random_model(MICRO, 0), MINI)
LARGE: Windows = dict.fromkeys(Base, 1 << 40)
"""No window stops anything here."""

Chooser = Callable[[Command], bool]


def _is(op: Op, **wanted: int) -> Chooser:
    return lambda c: c.op is op and all(c[name] == value for name, value in wanted.items())


LOAD = _is(Op.DMA, base=Base.PACKAGE)
RESULT = _is(Op.DMA, base=Base.RESULT)
DUMP = _is(Op.DMA, element=Element.PLAN)
ADDED = _is(Op.GEMM, post=Post.RESIDUAL)
QKV = _is(Op.GEMM, post=Post.QKV)


def _refused(chooser: Chooser, text: str, header: dict[str, object], **operands: int) -> None:
    commands = list(PROGRAM.commands)
    at = next(index for index, command in enumerate(commands) if chooser(command))
    command = commands[at]
    commands[at] = replace(command, operands={**command.operands, **operands}, **header)  # type: ignore[arg-type]
    with pytest.raises(CommandError, match=rf"command {at} \({command.op.name}\): {text}"):
        check_program(commands, MINI, LARGE)


@pytest.mark.parametrize(
    ("chooser", "operands", "text"),
    [
        (
            LOAD,
            {"elements": 48, "stride": 96},
            "last channel is 48, expected at most 32",
        ),
        (LOAD, {"first_channel": 16}, "last channel is 48, expected at most 32"),
        (LOAD, {"first_token": 1}, "tokens is 10, expected at most 9"),
        (LOAD, {"stride": 63}, "stride is 63, expected 64 = one row"),
        (LOAD, {"element": Element.INT32}, "route is NONE->RES, flags 0, element INT32"),
        (LOAD, {"base": Base.RESULT}, "base is RESULT, expected PACKAGE or IMAGE"),
        (RESULT, {"base": Base.PACKAGE}, "base is PACKAGE, expected RESULT or TRACE"),
        (RESULT, {"element": Element.PLAN}, "route is RES->NONE, flags 128, element PLAN"),
        (DUMP, {"elements": 3, "stride": 12}, "elements is 3, expected at most 2"),
        (_is(Op.NORM), {"epsilon": 0}, "epsilon is 0"),
        (ADDED, {"dst_channel": 16}, "last channel is 48, expected at most 32"),
        (ADDED, {"first_token": 2}, "tokens is 10, expected at most 9"),
        (ADDED, {"post": Post.INT8}, "route is XN->RES, flags 6, post INT8"),
        (QKV, {"outputs": 16}, "outputs is 16, expected 32 = heads x head_dim"),
        (QKV, {"shift_key": 41}, "shift_key is 41, expected 1 to 40"),
        (_is(Op.ATTN), {"channel": 16}, "last channel is 48, expected at most 32"),
        (_is(Op.GATE), {"experts": 3}, "experts is 3, expected 4 as in CONFIG"),
        (_is(Op.GATE), {"top_k": 3}, "top_k is 3, expected 2 as in CONFIG"),
        (_is(Op.EXPERTS), {"hidden": 0}, "hidden is 0, expected 16 to"),
    ],
)
def test_an_operand_that_leaves_its_store(
    chooser: Chooser, operands: dict[str, int], text: str
) -> None:
    _refused(chooser, text, {}, **operands)


@pytest.mark.parametrize(
    ("chooser", "header", "text"),
    [
        (LOAD, {"tokens": 0}, "tokens is 0, expected at least 1"),
        (LOAD, {"flags": Flag.WRITE}, "route is NONE->RES, flags 128"),
        (RESULT, {"flags": Flag(0)}, "route is RES->NONE, flags 0"),
        (RESULT, {"dst": Store.XN}, "route is RES->XN, flags 128"),
        (_is(Op.ATTN), {"tokens": 0}, "tokens is 0, expected at least 9"),
    ],
)
def test_a_header_that_moves_the_wrong_way(
    chooser: Chooser, header: dict[str, object], text: str
) -> None:
    _refused(chooser, text, header)


def test_what_the_compiler_emits_is_accepted_on_every_machine() -> None:
    for machine in MACHINES.values():
        check_program(emit_program(random_model(MICRO, 0), machine).commands, machine, LARGE)
