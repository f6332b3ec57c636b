"""How many pairs the next token block has (``hw.layout.blocks`` says the same of all)."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.passes import BLOCK_BITS, PAIR_BITS


class BlockSize(Component):
    """``size`` = ``limit``, or half of what is left (rounded up) when less than two blocks are.

    So the last two blocks are about equal and no block is tiny.  Combinational.
    """

    left: In(PAIR_BITS)
    limit: In(BLOCK_BITS)
    size: Out(BLOCK_BITS)

    def elaborate(self, platform: object) -> Module:
        """Two comparisons and a multiplexer."""
        m = Module()
        half = Signal(PAIR_BITS)
        m.d.comb += [
            half.eq((self.left + 1) >> 1),
            self.size.eq(
                Mux(
                    self.left <= self.limit,
                    self.left,
                    Mux(self.left < (self.limit << 1), half, self.limit),
                )
            ),
        ]
        return m
