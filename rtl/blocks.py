"""How many pairs the next token block has."""

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


def block_sizes(pairs: int, limit: int, first: int | None = None) -> list[int]:
    """The blocks of ``pairs`` pairs, as the hardware cuts them; from ``first`` on the limit
    doubles with every block until it is ``limit``.
    """
    sizes, now = [], min(limit, first or limit)
    while pairs:
        size = pairs if pairs <= now else (pairs + 1) // 2 if pairs < 2 * now else now
        sizes.append(size)
        pairs, now = pairs - size, min(limit, 2 * now)
    return sizes
