"""The register table of the AXI4-Lite slave: the only place that states an offset or a bit.

RTL, driver, simulators, the C header and the text page are derived from it.  All registers are 32
bits wide; a 64-bit value takes two, low word first.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from m3vit.hw.machine import CONTRACT_VERSION, MachineConfig
from m3vit.hw.register_fields import (
    WORD_BITS,
    WORD_BYTES,
    Access,
    Field,
    Register,
    check_table,
)

MAGIC = int.from_bytes(b"M3Vt", "big")
"""Identity of the slave."""

WINDOW_UNIT = 64
"""Bytes per unit of window sizes and of the list's address."""


def _bits(*layout: tuple[str, int, str]) -> tuple[Field, ...]:
    """Fields one behind the other from bit 0."""
    fields, lsb = [], 0
    for name, bits, doc in layout:
        fields.append(Field(name=name, lsb=lsb, bits=bits, doc=doc))
        lsb += bits
    return tuple(fields)


def _constant(name: str, offset: int, doc: str, *layout: tuple[str, int, str]) -> Register:
    return Register(
        name=name,
        offset=offset,
        access=Access.READ,
        doc=doc,
        fields=_bits(*layout),
        identity=True,
    )


def _pair(
    name: str, offset: int, access: Access, doc: str, identity: bool = False
) -> Iterator[Register]:
    """The two words of a 64-bit value."""
    for index, half in enumerate(("LO", "HI")):
        yield Register(
            name=f"{name}_{half}",
            offset=offset + WORD_BYTES * index,
            access=access,
            doc=f"{doc}, bits {WORD_BITS * index + WORD_BITS - 1}:{WORD_BITS * index}",
            identity=identity,
        )


_IDENTITY = (
    _constant("MAGIC", 0x000, "reads 0x4d335674, the letters M3Vt"),
    _constant("CONTRACT", 0x004, "contract version that commands, formats and layouts follow"),
    *_pair("DIGEST", 0x008, Access.READ, "first 64 bits of the machine digest", identity=True),
    _constant(
        "ARRAY",
        0x010,
        "multiplier array",
        ("GROUPS", 8, "groups, one head each"),
        ("ROWS", 8, "rows along the contraction"),
        ("COLUMNS", 8, "outputs a group"),
    ),
    _constant(
        "BLOCKS",
        0x014,
        "token pairs a block of the loop nest",
        ("ACCUMULATOR_PAIRS", 16, "with the panel outside"),
        ("NORMAL_BLOCK_PAIRS", 16, "with the token block outside"),
    ),
    _constant(
        "LIMITS",
        0x018,
        "largest network",
        ("MAX_TOKENS", 16, "tokens with the class token"),
        ("MAX_WIDTH", 16, "channels"),
    ),
    _constant(
        "EXPERT_LIMITS",
        0x01C,
        "largest mixture",
        ("MAX_EXPERTS", 16, "experts a block"),
        ("MAX_TOP_K", 16, "experts a token"),
    ),
    _constant("SCORE_WORDS", 0x020, "words of one group's score store"),
    _constant("RING_BYTES", 0x024, "bytes of the weight ring"),
    _constant("ACTIVATION_BYTES", 0x028, "bytes of XN and of QOH, channels of the residual"),
    _constant(
        "MEMORY",
        0x02C,
        "memory ports",
        ("PORTS", 8, "AXI4 masters"),
        ("PORT_BITS", 16, "data width of each"),
    ),
    _constant("CLOCK_KHZ", 0x030, "clock that the machine was built for"),
)

_OUTCOMES = (("DONE", 1, "END was reached"), ("ERROR", 1, "the machine stopped with an error"))

_CONTROL = (
    Register(
        name="CONTROL",
        offset=0x100,
        access=Access.READ_WRITE,
        doc="starts, resets, and enables tracing",
        fields=(
            Field(
                name="START",
                lsb=0,
                bits=1,
                doc="runs the list for TASK; counters and DONE are cleared",
                access=Access.PULSE,
            ),
            Field(
                name="SOFT_RESET",
                lsb=1,
                bits=1,
                doc="to idle from any state once outstanding bursts have ended; clears ERROR",
                access=Access.PULSE,
            ),
            Field(name="TRACE", lsb=2, bits=1, doc="run commands that are only for tracing"),
        ),
    ),
    Register(
        name="STATUS",
        offset=0x104,
        access=Access.READ,
        doc="state of the machine",
        reset=1,
        fields=_bits(
            ("IDLE", 1, "ready for START"),
            ("BUSY", 1, "running"),
            *_OUTCOMES,
            ("DRAINING", 1, "stopping: waits until memory has answered all bursts under way"),
            ("RESERVED", 3, "zero"),
            ("END_STATUS", 8, "status operand of END"),
            ("BLOCK", 8, "transformer block of the command being executed"),
        ),
    ),
    Register(
        name="ERROR",
        offset=0x108,
        access=Access.READ,
        doc="first error since START or SOFT_RESET",
        fields=_bits(("CODE", 8, "see the error codes")),
    ),
    Register(
        name="ERROR_COMMAND",
        offset=0x10C,
        access=Access.READ,
        doc="index of the command that the error belongs to; of the list's end if END is missing",
    ),
    Register(
        name="COMMAND_INDEX",
        offset=0x110,
        access=Access.READ,
        doc="index of the command being executed",
    ),
    Register(
        name="TASK",
        offset=0x114,
        access=Access.READ_WRITE,
        doc="number of the task: selects the gates, costs no cycle",
    ),
    Register(
        name="COMMAND_ADDRESS",
        offset=0x118,
        access=Access.READ_WRITE,
        doc="command list, in units of 64 bytes from BASE_PACKAGE",
    ),
    Register(
        name="COMMAND_COUNT",
        offset=0x11C,
        access=Access.READ_WRITE,
        doc="commands in the list",
    ),
    Register(
        name="INTERRUPT_ENABLE",
        offset=0x120,
        access=Access.READ_WRITE,
        doc="which events raise the interrupt line",
        fields=_bits(*_OUTCOMES),
    ),
    Register(
        name="INTERRUPT_STATUS",
        offset=0x124,
        access=Access.CLEAR,
        doc="events since they were cleared; DONE only if END asked for it",
        fields=_bits(*_OUTCOMES),
    ),
)

BASES = ("PACKAGE", "IMAGE", "RESULT", "TRACE")
"""In the order of ``m3vit.hw.commands.fields.Base``."""


def _addresses() -> Iterator[Register]:
    for index, base in enumerate(BASES):
        doc = f"physical address of the {base.lower()}, a multiple of 64"
        yield from _pair(f"BASE_{base}", 0x140 + 8 * index, Access.READ_WRITE, doc)
    for index, base in enumerate(BASES):
        yield Register(
            name=f"WINDOW_{base}",
            offset=0x160 + WORD_BYTES * index,
            access=Access.READ_WRITE,
            doc=f"size of the {base.lower()} in units of 64 bytes; addresses outside are refused",
        )


COUNTERS: Mapping[str, str] = MappingProxyType(
    {
        "CYCLES": "cycles from START to DONE or ERROR",
        "ARRAY_BUSY": "cycles in which the array took a token pair",
        "ARRAY_WAIT_WEIGHTS": "array idle: tile not in the ring",
        "ARRAY_WAIT_REFILL": "array idle: tile not yet in the multipliers",
        "ARRAY_WAIT_OPERAND": "array idle: operand not made",
        "ARRAY_WAIT_NORM": "array idle: LayerNorm",
        "ARRAY_WAIT_SOFTMAX": "array idle: softmax",
        "ARRAY_WAIT_GATE": "array idle: plan not known",
        "ARRAY_WAIT_COMMAND": "array idle: between commands and passes",
        "ARRAY_BLOCKED": "array idle: results cannot leave",
        "NORM_BUSY": "cycles in which LayerNorm took channels",
        "NORM_STARVED": "LayerNorm waits for the residual",
        "NORM_BLOCKED": "LayerNorm holds back, its old output is still read",
        "COMBINE_BUSY": "cycles in which results were added to the residual",
        "COMBINE_BLOCKED": "the results' FIFO is full",
        "GATE_BUSY": "cycles in which logits were ranked",
        "FETCH_BLOCKED": "the weight ring is full",
        "FETCH_STARVED": "the memory does not answer",
        "READ_BEATS": "data beats read, all ports",
        "WRITE_BEATS": "data beats written, all ports",
        "EXPERTS_LOADED": "experts whose weights were fetched",
        "EXPERTS_DROPPED": "experts fetched early that had no token",
        "SATURATIONS": "residual additions that saturated",
    }
)
"""64-bit performance counters; reading the low word holds the high word."""

COUNTERS_OFFSET = 0x200


def _counters() -> Iterator[Register]:
    for index, (name, doc) in enumerate(COUNTERS.items()):
        yield from _pair(f"COUNT_{name}", COUNTERS_OFFSET + 8 * index, Access.READ, doc)


REGISTERS: tuple[Register, ...] = (*_IDENTITY, *_CONTROL, *_addresses(), *_counters())
"""Every register, offsets ascending."""

check_table(REGISTERS)

BY_NAME: Mapping[str, Register] = MappingProxyType({r.name: r for r in REGISTERS})


def identity_values(machine: MachineConfig) -> dict[str, int]:
    """What each identity register of ``machine`` reads."""

    def word(register: str, **values: int) -> int:
        return sum(BY_NAME[register].field(name).put(value) for name, value in values.items())

    digest = int(machine.digest[:16], 16)
    return {
        "MAGIC": MAGIC,
        "CONTRACT": CONTRACT_VERSION,
        "DIGEST_LO": digest & 0xFFFFFFFF,
        "DIGEST_HI": digest >> WORD_BITS,
        "ARRAY": word("ARRAY", GROUPS=machine.groups, ROWS=machine.rows, COLUMNS=machine.columns),
        "BLOCKS": word(
            "BLOCKS",
            ACCUMULATOR_PAIRS=machine.accumulator_pairs,
            NORMAL_BLOCK_PAIRS=machine.normal_block_pairs,
        ),
        "LIMITS": word("LIMITS", MAX_TOKENS=machine.max_tokens, MAX_WIDTH=machine.max_width),
        "EXPERT_LIMITS": word(
            "EXPERT_LIMITS", MAX_EXPERTS=machine.max_experts, MAX_TOP_K=machine.max_top_k
        ),
        "SCORE_WORDS": machine.score_words,
        "RING_BYTES": machine.ring_bytes,
        "ACTIVATION_BYTES": machine.activation_bytes,
        "MEMORY": word("MEMORY", PORTS=machine.memory_ports, PORT_BITS=machine.port_bits),
        "CLOCK_KHZ": round(machine.clock_mhz * 1000),
    }
