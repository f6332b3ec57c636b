"""A product of two numbers that is not needed at once: an addition a cycle, no multiplier."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out


class Product(Component):
    """``p`` = ``a`` x ``b``, taken with ``start``; ``busy`` for as many cycles as b has bits."""

    def __init__(self, a_bits: int, b_bits: int) -> None:
        self.a_bits, self.b_bits = a_bits, b_bits
        super().__init__(
            {
                "start": In(1),
                "a": In(a_bits),
                "b": In(b_bits),
                "busy": Out(1),
                "p": Out(a_bits + b_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Shift and add, lowest bit first."""
        m = Module()
        a, b = Signal(self.a_bits + self.b_bits), Signal(self.b_bits)
        m.d.comb += self.busy.eq(b != 0)
        with m.If(self.start):
            m.d.sync += [a.eq(self.a), b.eq(self.b), self.p.eq(0)]
        with m.Elif(self.busy):
            m.d.sync += [a.eq(a << 1), b.eq(b >> 1), self.p.eq(self.p + Mux(b[0], a, 0))]
        return m
