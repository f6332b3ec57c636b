"""Which results of the passes given so far a job may read before the last of them is there."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.passes import BLOCK_BITS, NUMBER_BITS, PAIR_BITS, Post

Early = data.StructLayout({"pairs": PAIR_BITS, "number": NUMBER_BITS})
"""The first ``pairs`` pairs of Q or O are complete with result ``number``."""

Given = data.StructLayout(
    {
        "post": Post,
        "publish": 1,
        "first_pair": PAIR_BITS,
        "pairs": BLOCK_BITS,
        "number": NUMBER_BITS,
    }
)
"""A pass with results."""


class Progress(Component):
    """Ports: ``given`` when ``enable``; ``retired``; ``keys``: number of the last result of K;
    ``mixing``: A.V has results that have not retired, so that the factors of its ATTN are still in
    use; ``early``: all blocks of the layer given last but its last one.

    The blocks of Q and O come in order of tokens; a block is complete with the pass that carries
    ``publish``, its last panel.  Any pass into QOH that starts over makes ``early`` empty.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "enable": In(1),
                "given": In(Given),
                "retired": In(NUMBER_BITS),
                "keys": Out(NUMBER_BITS),
                "mixing": Out(1),
                "early": Out(Early),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The block given last becomes early when the next one is given."""
        m = Module()
        given: Any = self.given
        latest: Any = Signal(Early)
        writes = Signal()
        with m.Switch(given.post):
            with m.Case(Post.HIDDEN, Post.OUTPUT, Post.GELU):
                m.d.comb += writes.eq(self.enable)
        opens = given.first_pair == 0
        with m.If(writes & opens):
            m.d.sync += [self.early.pairs.eq(0), latest.pairs.eq(0)]
        with m.If(writes & given.publish):
            m.d.sync += [
                latest.pairs.eq(given.first_pair + given.pairs),
                latest.number.eq(given.number),
                self.early.pairs.eq(Mux(opens, 0, latest.pairs)),
                self.early.number.eq(latest.number),
            ]
        mixed = Signal(NUMBER_BITS)
        with m.If(self.enable & (given.post == Post.OUTPUT)):
            m.d.sync += [mixed.eq(given.number), self.mixing.eq(1)]
        with m.Elif(~(self.retired - mixed)[NUMBER_BITS - 1]):
            m.d.sync += self.mixing.eq(0)
        with m.If(self.enable & (given.post == Post.KEY)):
            m.d.sync += self.keys.eq(given.number)
        return m
