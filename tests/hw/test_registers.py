import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.commands.fields import Base
from m3vit.hw.cost.timeline import CAUSES
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import CONTRACT_VERSION, MACHINES, MachineConfig
from m3vit.hw.register_fields import Access, Field, Register, check_table
from m3vit.hw.registers import BASES, BY_NAME, COUNTERS, MAGIC, REGISTERS, identity_values


def test_offsets_ascend_and_are_distinct() -> None:
    offsets = [register.offset for register in REGISTERS]
    assert offsets == sorted(set(offsets))
    assert len(BY_NAME) == len(REGISTERS)


def test_wide_values_are_two_neighbouring_words() -> None:
    names = [name[:-3] for name in BY_NAME if name.endswith("_LO")]
    assert {f"COUNT_{name}" for name in COUNTERS} <= set(names)
    for name in names:
        low, high = BY_NAME[f"{name}_LO"], BY_NAME[f"{name}_HI"]
        assert high.offset == low.offset + 4
        assert low.offset % 8 == 0
        assert low.access is high.access


def test_bases_follow_the_commands() -> None:
    assert tuple(base.name for base in Base) == BASES
    for index, base in enumerate(BASES):
        assert BY_NAME[f"BASE_{base}_LO"].offset == 0x140 + 8 * index
        assert BY_NAME[f"WINDOW_{base}"].access is Access.READ_WRITE


def test_every_cause_of_the_cost_model_has_a_counter() -> None:
    counted = [re.fullmatch(r"ARRAY_(?:WAIT_)?(\w+)", name) for name in COUNTERS]
    named = [match[1].lower() for match in counted if match]
    assert sorted(named) == sorted(["busy", *CAUSES])


@pytest.mark.parametrize("machine", list(MACHINES.values()), ids=list(MACHINES))
def test_identity_is_what_the_machine_says(machine: MachineConfig) -> None:
    values = identity_values(machine)
    assert set(values) == {register.name for register in REGISTERS if register.identity}
    assert all(0 <= value < 1 << 32 for value in values.values())
    assert values["MAGIC"] == MAGIC
    assert values["CONTRACT"] == CONTRACT_VERSION
    digest = values["DIGEST_HI"] << 32 | values["DIGEST_LO"]
    assert f"{digest:016x}" == machine.digest[:16]
    array = BY_NAME["ARRAY"]
    got = [array.field(name).get(values["ARRAY"]) for name in ("GROUPS", "ROWS", "COLUMNS")]
    assert got == [machine.groups, machine.rows, machine.columns]
    assert BY_NAME["LIMITS"].field("MAX_TOKENS").get(values["LIMITS"]) == machine.max_tokens


@given(st.integers(0, 31), st.integers(1, 32), st.data())
def test_fields_round_trip(lsb: int, bits: int, data: st.DataObject) -> None:
    field = Field(name="F", lsb=lsb, bits=min(bits, 32 - lsb), doc="")
    value = data.draw(st.integers(0, (1 << field.bits) - 1))
    others = data.draw(st.integers(0, (1 << 32) - 1)) & ~field.mask
    assert field.get(field.put(value) | others) == value
    with pytest.raises(ConfigurationError, match="field F"):
        field.put(1 << field.bits)


def _register(name: str, offset: int, *fields: Field, reset: int = 0) -> Register:
    return Register(
        name=name, offset=offset, access=Access.READ, doc="", fields=fields, reset=reset
    )


def _field(lsb: int, bits: int) -> Field:
    return Field(name=f"F{lsb}", lsb=lsb, bits=bits, doc="")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([_register("A", 0), _register("A", 4)], "stands twice"),
        ([_register("A", 0), _register("B", 0)], "overlaps A"),
        ([_register("A", 2)], "multiple of 4"),
        ([_register("A", 0x1000)], "below 0x1000"),
        ([_register("A", 0, reset=1 << 32)], "over 32 bits"),
        ([_register("A", 0, _field(30, 3))], "outside the word"),
        ([_register("A", 0, _field(0, 4), _field(3, 2))], "F3 overlaps"),
    ],
)
def test_unsound_tables_are_refused(table: list[Register], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_table(table)


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no field 'SPEED'"):
        BY_NAME["STATUS"].field("SPEED")


def test_another_machine_reads_another_digest() -> None:
    machine = MACHINES["zcu104"]
    other = identity_values(replace(machine, ring_bytes=machine.ring_bytes // 2))
    assert other["DIGEST_LO"] != identity_values(machine)["DIGEST_LO"]
