"""Encoding and decoding are inverse for every operation, and refuse what does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.commands.fields import HEADER, SPECS, WORD_BITS, WORD_BYTES, Flag, Op, Store
from m3vit.hw.commands.text import disassemble, reference
from m3vit.hw.commands.word import Command, decode, decode_all, encode, used_bits
from m3vit.hw.errors import CommandError


@st.composite
def commands(draw: st.DrawFn) -> Command:
    op = draw(st.sampled_from(Op))
    operands = {
        field.name: draw(st.integers(0, (1 << field.bits) - 1)) * field.unit
        for field in SPECS[op].fields
    }
    return Command(
        op=op,
        flags=Flag(draw(st.integers(0, 255))),
        block=draw(st.integers(0, 255)),
        src=draw(st.sampled_from(Store)),
        dst=draw(st.sampled_from(Store)),
        tokens=draw(st.integers(0, 4095)),
        pairs=draw(st.integers(0, 1023)),
        operands=operands,
    )


@given(commands())
def test_decode_inverts_encode(command: Command) -> None:
    word = encode(command)
    assert len(word) == WORD_BYTES
    assert decode(word) == command


@pytest.mark.parametrize("op", Op)
def test_every_operation_fits_a_word(op: Op) -> None:
    assert 64 < used_bits(op) <= WORD_BITS
    names = [field.name for field in SPECS[op].fields]
    assert len(set(names)) == len(names)


def test_header_is_64_bits() -> None:
    assert sum(field.bits for field in HEADER) == 64


def _norm(**changes: int) -> Command:
    operands = {"table": 64, "width": 96, "epsilon": 9, "shift": 18, **changes}
    return Command(op=Op.NORM, src=Store.RES, dst=Store.XN, tokens=5, operands=operands)


@pytest.mark.parametrize("changes", [{"table": 63}, {"width": 8}, {"shift": 64}, {"shift": -1}])
def test_operand_that_does_not_fit_is_named(changes: dict[str, int]) -> None:
    with pytest.raises(CommandError, match=f"NORM: {next(iter(changes))} is"):
        encode(_norm(**changes))


def test_missing_operand_is_refused() -> None:
    with pytest.raises(CommandError, match="operands are"):
        encode(Command(op=Op.NORM, operands={}))


@given(st.integers(0, WORD_BITS - 1))
def test_a_set_reserved_bit_is_refused_and_no_flip_crashes(bit: int) -> None:
    value = int.from_bytes(encode(_norm()), "little") ^ (1 << bit)
    try:
        again = encode(decode(value.to_bytes(WORD_BYTES, "little"), 3))
    except CommandError as error:
        assert "command 3" in str(error)
    else:
        assert int.from_bytes(again, "little") == value


@pytest.mark.parametrize("op", [0, 9, 16, 31, 63])
def test_unknown_operations_are_refused(op: int) -> None:
    with pytest.raises(CommandError, match="is not a valid Op"):
        decode(op.to_bytes(WORD_BYTES, "little"))


def test_truncated_list_is_refused() -> None:
    with pytest.raises(CommandError, match="33 bytes"):
        decode_all(bytes(33))


@given(commands())
def test_disassembly_names_operation_and_operands(command: Command) -> None:
    line = disassemble(command, 7)
    assert command.op.name in line
    assert all(f"{name}=" in line for name in command.operands)


def test_reference_lists_every_field() -> None:
    text = reference()
    assert all(field.name in text for spec in SPECS.values() for field in spec.fields)
