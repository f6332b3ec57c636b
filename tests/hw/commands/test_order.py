"""Reordering off: only the flags of routed experts change, and the checks pass."""

from m3vit.hw.commands.check import check_program
from m3vit.hw.commands.fields import Base, Flag, Op
from m3vit.hw.commands.order import in_token_order, is_routed, is_token_order
from m3vit.hw.commands.word import Command, decode_all, encode
from m3vit.hw.compiler.program import emit_program
from m3vit.hw.config import ModelConfig
from m3vit.hw.machine import machine_preset
from tests.support.packages import MICRO, MICRO_DENSE
from tests.support.random_models import random_model

MINI = machine_preset("mini")
WINDOWS = {base: 1 << 40 for base in Base}


def commands_of(config: ModelConfig) -> tuple[Command, ...]:
    return tuple(emit_program(random_model(config, 0), MINI).commands)


def test_only_routed_experts_change() -> None:
    commands = commands_of(MICRO)
    other = in_token_order(commands)
    check_program(other, MINI, WINDOWS)
    changed = [pair for pair in zip(commands, other, strict=True) if pair[0] != pair[1]]
    assert len(changed) == len(MICRO.moe_blocks) > 0
    for old, new in changed:
        assert is_routed(old) and old.op is new.op is Op.EXPERTS
        assert old.flags ^ new.flags == Flag.REORDER | Flag.SPECULATE
        assert old.operands == new.operands
    assert is_token_order(other) and not is_token_order(commands)
    assert in_token_order(other) == other


def test_the_words_say_the_same() -> None:
    other = in_token_order(commands_of(MICRO))
    assert decode_all(b"".join(map(encode, other))) == other


def test_a_dense_network_has_no_order() -> None:
    commands = commands_of(MICRO_DENSE)
    assert in_token_order(commands) == commands
    assert not is_token_order(commands)
