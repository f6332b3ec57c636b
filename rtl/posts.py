"""What a pass's kind of result means: limits, logits out of two columns, rows of its store."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from m3vit.hw.formats import GATE_LOW_BITS, RESIDUAL_BITS
from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.passes import Post
from m3vit.rtl.results import ROW_BITS
from m3vit.rtl.shift_saturate import Range

GATE_BITS = 2 * RESIDUAL_BITS
"""A logit takes the places of its high and its low column."""


def limits_of(m: Module, post: Any, name: str) -> Signal:
    """To what requantisation clamps results of ``post``."""
    limits = Signal(2, name=name)
    with m.Switch(post):
        with m.Case(Post.RESIDUAL):
            m.d.comb += limits.eq(Range.WIDE)
        with m.Case(Post.KEY, Post.VALUE):
            m.d.comb += limits.eq(Range.INT8_SYMMETRIC)
        with m.Default():
            m.d.comb += limits.eq(Range.INT8)
    return limits


def joined_logits(m: Module, acc: Value, cycles: int, name: str) -> Value:
    """128 * high + low of every two columns of int27 ``acc``, in the place of both."""
    values = lanes(acc, ACCUMULATOR_BITS)
    joined = []
    for index, (high, low) in enumerate(zip(values[::2], values[1::2], strict=True)):
        total = register(GATE_BITS, f"{name}_{index}")
        m.d.sync += total.eq((high.as_signed() << GATE_LOW_BITS) + low.as_signed())
        joined.append(total)
    return delayed(m, Cat(*joined), cycles - 1, name)


def first_row(m: Module, c: Any, tokens: Value, half_tokens: Value) -> Value:
    """Row of token 0 in the block of 8 units of 16 channels that holds ``c.column``, two cycles
    later: rows of a block are T in QOH, twice ceil(T/2) in RES.
    """
    step, block = Signal(len(tokens) + 1), c.column[3:]
    m.d.comb += step.eq(Mux(c.post == Post.RESIDUAL, half_tokens << 1, tokens))
    parts = [register(ROW_BITS, f"row_part{half}") for half in range(2)]
    for part, low in zip(parts, (0, 2), strict=True):
        scaled = (Mux(block[bit], step << bit, 0) for bit in (low, low + 1))
        m.d.sync += part.eq(sum(scaled, start=Const(0, 1)))
    row = register(ROW_BITS, "row_of_block")
    m.d.sync += row.eq(parts[0] + parts[1])
    return row
