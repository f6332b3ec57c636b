"""Leading one of an integer and the ten bits below it, one value a cycle.

The first step of both reciprocals (golden ``reciprocal`` and ``layernorm.reciprocal_root``).
"""

from amaranth.hdl import Cat, Const, Module, Mux
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import TABLE_INDEX_BITS
from m3vit.rtl.library import register


class Normalise(Component):
    """``leading`` = floor(log2 x), ``below`` = the ten bits under the leading one (zeros added).

    Ports: ``x`` unsigned ``width``, above zero (for zero the results mean nothing).  Halving
    search: stage k shifts by 2^k where the top 2^k bits are zero.  Latency: ``LATENCY`` cycles.
    """

    def __init__(self, width: int) -> None:
        if width < TABLE_INDEX_BITS + 2:
            raise ConfigurationError(f"normalise: width must be 12 or more, not {width}")
        self.width = width
        self.LATENCY = (width - 1).bit_length()
        super().__init__(
            {"x": In(width), "leading": Out(self.LATENCY), "below": Out(TABLE_INDEX_BITS)}
        )

    def elaborate(self, platform: object) -> Module:
        """Value extended to a power of two, then largest shift first."""
        m = Module()
        size = 1 << self.LATENCY
        value = Cat(self.x, Const(0, size - self.width))
        missing = Const(0, 0)
        for step in reversed(range(self.LATENCY)):
            amount = 1 << step
            absent = ~value[size - amount :].any()
            held, count = register(size, f"value{step}"), register(self.LATENCY - step, f"n{step}")
            m.d.sync += [
                held.eq(Mux(absent, value << amount, value)),
                count.eq(Cat(absent, missing)),
            ]
            value, missing = held, count
        m.d.comb += [
            self.leading.eq(~missing),
            self.below.eq(value[size - 1 - TABLE_INDEX_BITS : size - 1]),
        ]
        return m
