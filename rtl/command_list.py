"""The command list: read from memory once, then two readers."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.commands.fields import WORD_BITS
from m3vit.hw.commands.rules import LIST_LIMIT
from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS
from m3vit.rtl.memory import Memory

BEAT = 128
_BEATS = WORD_BITS // BEAT


class CommandList(Component):
    """``start`` reads ``count`` commands, 1 to LIST_LIMIT, from ``from_address``.

    ``given`` with ``command`` and its ``place``: a command has arrived.  ``index0``, ``index1`` to
    ``word0``, ``word1`` one cycle later.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "from_address": In(ADDRESS_BITS),
                "count": In(10),
                "busy": Out(1),
                "given": Out(1),
                "command": Out(WORD_BITS),
                "place": Out(9),
                "valid": Out(1),
                "ready": In(1),
                "address": Out(ADDRESS_BITS),
                "beats": Out(LENGTH_BITS),
                "data_valid": In(1),
                "data": In(BEAT),
                "index0": In(9),
                "index1": In(9),
                "word0": Out(WORD_BITS),
                "word1": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One region, two beats a command."""
        m = Module()
        m.submodules.store = store = Memory(
            depth=LIST_LIMIT, width=WORD_BITS, style="block", readers=2
        )
        left, low = Signal(11), Signal(BEAT)
        half, asks = Signal(), Signal()
        m.d.comb += [
            self.address.eq(self.from_address),
            self.beats.eq(self.count * _BEATS),
            self.valid.eq(asks),
            self.busy.eq(left != 0),
            store.ra0.eq(self.index0),
            store.ra1.eq(self.index1),
            self.word0.eq(store.rd0),
            self.word1.eq(store.rd1),
            store.wa.eq(self.place),
            store.wd.eq(self.command),
            self.command.eq(Cat(low, self.data)),
            self.given.eq(self.busy & self.data_valid & half),
            store.we.eq(self.given),
        ]
        with m.If(self.start):
            m.d.sync += [left.eq(self.beats), self.place.eq(0), half.eq(0), asks.eq(1)]
        with m.Elif(self.busy & self.data_valid):
            m.d.sync += [low.eq(self.data), half.eq(~half), left.eq(left - 1)]
            m.d.sync += self.place.eq(self.place + half)
        with m.If(self.valid & self.ready):
            m.d.sync += asks.eq(0)
        return m
