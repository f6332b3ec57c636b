"""The command set: every operation, every field, its width and its meaning.

This table is the only declaration.  Encoder, decoder, disassembler, limit checks, the RTL's decoder
and the documentation are derived from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from types import MappingProxyType

WORD_BITS = 256
WORD_BYTES = WORD_BITS // 8
HEADER_BITS = 64
HEADS_IN_FLIGHT = 4
"""Heads that one ATTN command has room for; a machine has one a group."""
ADDRESS_UNIT = 64
"""Bytes per unit of every address field."""


class Op(IntEnum):
    """Operations; 16 to 31 are reserved for the task heads."""

    CONFIG = 1
    DMA = 2
    NORM = 3
    GEMM = 4
    ATTN = 5
    GATE = 6
    EXPERTS = 7
    END = 8


class Flag(IntFlag):
    """Flags of the header."""

    TRACE_ONLY = 1
    """Skipped unless the trace bit of the control register is set."""
    BLOCK_ORDER = 2
    """Loop order: token block outside, panels inside (else panel outside)."""
    ADD = 4
    """Results are added to the residual."""
    IDENTITY = 8
    """Every token to every expert, weight 1: the dense MLP."""
    SPECULATE = 16
    """Experts are fetched in index order before the gate is known; needs REORDER."""
    REORDER = 32
    """Expert by expert; clear = token by token, the ring as a cache.  The same integers."""
    INTERRUPT = 64
    """Raise the interrupt when done."""
    WRITE = 128
    """DMA from a store to DRAM (else from DRAM to the store)."""


class Store(IntEnum):
    """On-chip stores."""

    NONE = 0
    RES = 1
    XN = 2
    QOH = 3
    KV = 4
    PLAN = 5


class Base(IntEnum):
    """Base registers that addresses are relative to."""

    PACKAGE = 0
    IMAGE = 1
    RESULT = 2
    TRACE = 3


class Element(IntEnum):
    """Element formats of DMA."""

    INT8 = 0
    INT16 = 1
    """int16 at 2^-f: shifted left by 2 into RES, rounded by 2 and saturated out of it."""
    INT32 = 2
    """RES as it is, sign-extended."""
    PLAN = 3
    """4 bytes a rank: expert u8, zero u8, weight u16."""


class Post(IntEnum):
    """What GEMM does with its requantised sums."""

    INT8 = 0
    RESIDUAL = 1
    QKV = 2


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a command word, packed after its predecessor from bit 0 upwards."""

    name: str
    bits: int
    doc: str
    unit: int = 1
    """Values are given and shown in multiples of this."""


def _field(name: str, bits: int, doc: str, unit: int = 1) -> Field:
    return Field(name=name, bits=bits, doc=doc, unit=unit)


HEADER: tuple[Field, ...] = (
    _field("op", 6, "operation"),
    _field("flags", 10, "see Flag"),
    _field("block", 8, "transformer block, shown with errors and counters"),
    _field("src", 4, "store read"),
    _field("dst", 4, "store written"),
    _field("tokens", 12, "tokens processed"),
    _field("pairs", 10, "token pairs a block of the loop nest"),
    _field("reserved", 10, "zero"),
)

_ADDRESS = "relative to the package's base, multiple of 64 bytes"
_CONFIG = (
    _field("contract", 8, "contract version"),
    _field("digest", 64, "first 64 bits of the machine digest"),
    _field("width", 7, "d", 16),
    _field("heads", 6, "attention heads"),
    _field("experts", 9, "experts a block, 0 if none"),
    _field("top_k", 4, "experts a token, 0 if none"),
)
_DMA = (
    _field("base", 2, "see Base"),
    _field("address", 32, "relative to the base, multiple of 64 bytes", ADDRESS_UNIT),
    _field("elements", 12, "elements a row (ranks for PLAN)"),
    _field("stride", 20, "bytes from row to row"),
    _field("element", 2, "see Element"),
    _field("first_token", 12, "token of the first row"),
    _field("first_channel", 8, "first channel of the store", 16),
)
_NORM = (
    _field("table", 32, f"LN table, {_ADDRESS}", ADDRESS_UNIT),
    _field("width", 7, "d", 16),
    _field("epsilon", 32, "added to C*S2 - S1^2"),
    _field("shift", 6, "after gamma and beta"),
)
_GEMM = (
    _field("weights", 32, f"panels, {_ADDRESS}", ADDRESS_UNIT),
    _field("inner", 13, "contraction length"),
    _field("outputs", 13, "output channels (of each of Q, K, V with post QKV)"),
    _field("panels_group", 8, "panels computed for one token block before the next (BLOCK_ORDER)"),
    _field("dst_channel", 8, "first channel written", 16),
    _field("first_token", 12, "token that row 0 is added to"),
    _field("post", 2, "see Post"),
    _field("head_dim", 4, "channels a head, with post QKV", 16),
    _field("heads", 3, "heads, with post QKV"),
    _field("shift", 6, "requantisation shift (of V with post QKV)"),
    _field("shift_key", 6, "requantisation shift of K"),
    _field("shift_query", 6, "requantisation shift of Q"),
)
_ATTN = (
    _field("channel", 8, "first channel of Q and O in QOH", 16),
    _field("heads", 3, "heads, one a group"),
    _field("head_dim", 4, "channels a head", 16),
    *(_field(f"score_shift{i}", 4, f"score shift of head {i}") for i in range(HEADS_IN_FLIGHT)),
    *(_field(f"gain{i}", 16, f"output gain G of head {i}") for i in range(HEADS_IN_FLIGHT)),
    *(_field(f"gain_shift{i}", 3, f"output shift a of head {i}") for i in range(HEADS_IN_FLIGHT)),
)
_GATE = (
    _field("weights", 32, f"gate panels of task 0, {_ADDRESS}", ADDRESS_UNIT),
    _field("stride", 20, "bytes from task to task", ADDRESS_UNIT),
    _field("experts", 9, "E"),
    _field("top_k", 4, "K"),
    _field("width", 7, "d", 16),
)
_EXPERTS = (
    _field("weights", 32, f"expert 0, {_ADDRESS}", ADDRESS_UNIT),
    _field("stride", 20, "bytes from expert to expert", ADDRESS_UNIT),
    _field("gelu", 32, f"GELU tables (2 x 256 bytes), {_ADDRESS}", ADDRESS_UNIT),
    _field("experts", 9, "E, or chunks of the dense MLP"),
    _field("top_k", 4, "K"),
    _field("hidden", 8, "hidden units an expert", 16),
    _field("width", 7, "d", 16),
    _field("shift1", 6, "requantisation shift of the first layer"),
    _field("shift2", 6, "requantisation shift of the second layer"),
    _field("guard", 3, "g: fraction bits of the second layer beyond the residual's"),
)
_END = (_field("status", 8, "shown in the status register"),)


@dataclass(frozen=True, kw_only=True)
class OpSpec:
    """Documentation and operand fields of one operation."""

    doc: str
    fields: tuple[Field, ...]


SPECS: Mapping[Op, OpSpec] = MappingProxyType(
    {
        Op.CONFIG: OpSpec(
            doc="states sizes and identity; checked before data moves", fields=_CONFIG
        ),
        Op.DMA: OpSpec(doc="moves rows of tokens between DRAM and a store", fields=_DMA),
        Op.NORM: OpSpec(doc="LayerNorm: RES to XN", fields=_NORM),
        Op.GEMM: OpSpec(doc="linear layer", fields=_GEMM),
        Op.ATTN: OpSpec(doc="scores, softmax and A*V of up to four heads", fields=_ATTN),
        Op.GATE: OpSpec(doc="logits, top-K, weights: XN to PLAN", fields=_GATE),
        Op.EXPERTS: OpSpec(doc="both layers of every live expert, added to RES", fields=_EXPERTS),
        Op.END: OpSpec(doc="done", fields=_END),
    }
)
"""Every operation of contract version 1."""
