"""Arithmetic right shift by a run-time amount, then saturation: one LUT level a stage."""

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import enum
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.library import chosen, register

RADIX_BITS = 2
"""Every stage shifts by one of four amounts: a 4:1 multiplexer is one LUT."""


class Range(enum.Enum, shape=2):
    """To what a result is clamped."""

    WIDE = 0
    INT8 = 1
    INT8_SYMMETRIC = 2
    """[-127, 127]: K and V."""


class ShiftSaturate(Component):
    """y = clamp(x >> shift) to ``bits`` bits, or to int8, sign-extended.

    Ports: ``x`` signed ``width``; ``shift<i>``: digit i (base 4) of the shift, used in stage
    ``digits - 1 - i`` and to be given that many cycles after ``x``; ``range`` (see Range) after
    ``digits`` cycles; ``y`` signed ``bits``.

    Bits that no later stage can bring back are dropped at once and remembered in one flag.

    Latency: ``digits`` + 1 cycles.
    """

    def __init__(self, *, width: int, bits: int, digits: int) -> None:
        self.width, self.bits, self.digits = width, bits, digits
        self.LATENCY = digits + 1
        shifts = {f"shift{digit}": In(RADIX_BITS) for digit in range(digits)}
        super().__init__({"x": In(width), **shifts, "range": In(Range), "y": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        """Largest digit first."""
        m = Module()
        value, over, sign = self.x, Const(0, 1), self.x[-1]
        for digit in reversed(range(self.digits)):
            value, over, sign = self._stage(m, value, over, sign, digit)
        over, value = over | _spills(value, self.bits), value[: self.bits]
        y = register(self.bits, "y_held")
        m.d.sync += y.eq(self._clamped(value, over, sign))
        m.d.comb += self.y.eq(y)
        return m

    def _stage(
        self, m: Module, value: Value, over: Value, sign: Value, digit: int
    ) -> tuple[Value, Value, Value]:
        unit, place = 1 << (RADIX_BITS * digit), RADIX_BITS * digit
        most = (unit << RADIX_BITS) - 1  # by which this stage and the later ones may shift
        kept = min(len(value), self.bits + most)
        shifts = [_arithmetic(value[:kept], amount * unit) for amount in range(1 << RADIX_BITS)]
        shifted = chosen(shifts, getattr(self, f"shift{digit}"))
        held = register(kept, f"value{place}")
        flags = register(2, f"flags{place}")
        m.d.sync += [held.eq(shifted), flags.eq(Cat(over | _spills(value, kept), sign))]
        return held, flags[0], flags[1]

    def _clamped(self, value: Value, over: Value, sign: Value) -> Value:
        narrow = self.range != Range.WIDE
        beyond = over | (narrow & _spills(value, 8))
        wide = Cat((~sign).replicate(self.bits - 1), sign)
        byte = Cat((~sign).replicate(7), sign.replicate(self.bits - 7))
        clamped = Mux(beyond, Mux(narrow, byte, wide), value)
        floor = (self.range == Range.INT8_SYMMETRIC) & ~clamped[:7].any() & clamped[7]
        return Cat(clamped[0] | floor, clamped[1:])


def _arithmetic(value: Value, amount: int) -> Value:
    amount = min(amount, len(value) - 1)
    return Cat(value[amount:], value[-1].replicate(amount))


def _spills(value: Value, bits: int) -> Value:
    """Whether a signed value does not fit ``bits`` bits."""
    if len(value) <= bits:
        return Const(0, 1)
    top = value[bits - 1 :]
    return ~(top.all() | ~top.any())
