"""What a pass's kind of result means for its lanes: limits, and logits out of two columns."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from m3vit.hw.formats import GATE_LOW_BITS, RESIDUAL_BITS
from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.passes import Post
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
