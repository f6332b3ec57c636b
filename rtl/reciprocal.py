"""Reciprocal and reciprocal root by one table entry, golden ``reciprocal`` and ``layernorm``."""

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import (
    FACTOR_BITS,
    TABLE_INDEX_BITS,
    reciprocal_root_table,
    reciprocal_table,
)
from m3vit.rtl.library import delayed
from m3vit.rtl.memory import Memory
from m3vit.rtl.normalise import Normalise

_TABLE_LATENCY = 2


class Reciprocal(Component):
    """1/x = ``r`` * 2^-(16 + ``leading``), a value a cycle.

    Ports: ``x`` unsigned ``width``, 1 or more; ``r`` u16; ``leading`` = floor(log2 x).
    Latency: ``LATENCY`` cycles.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.search = Normalise(width)
        self.LATENCY = self.search.LATENCY + _TABLE_LATENCY
        self.leading_bits = self.search.LATENCY
        super().__init__({"x": In(width), "r": Out(FACTOR_BITS), "leading": Out(self.leading_bits)})

    def elaborate(self, platform: object) -> Module:
        """Search, then the table."""
        m = Module()
        m.submodules.search = search = self.search
        m.submodules.table = table = _table(reciprocal_table().tolist())
        m.d.comb += [search.x.eq(self.x), table.ra0.eq(search.below), self.r.eq(table.rd0)]
        m.d.comb += self.leading.eq(delayed(m, search.leading, _TABLE_LATENCY, "leading"))
        return m


class ReciprocalRoot(Component):
    """1/sqrt(x) = ``y`` * 2^-(16 + ``half``), a value a cycle.

    Ports: ``x`` unsigned ``width``, 1 or more; ``y`` u16; ``half`` = floor(log2 x) >> 1.
    Latency: ``LATENCY`` cycles.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.search = Normalise(width)
        self.LATENCY = self.search.LATENCY + _TABLE_LATENCY
        self.half_bits = self.search.LATENCY - 1
        super().__init__({"x": In(width), "y": Out(FACTOR_BITS), "half": Out(self.half_bits)})

    def elaborate(self, platform: object) -> Module:
        """The parity of the exponent selects the half of the table."""
        m = Module()
        m.submodules.search = search = self.search
        m.submodules.table = table = _table(reciprocal_root_table().tolist())
        m.d.comb += [
            search.x.eq(self.x),
            table.ra0.eq(Cat(search.below, search.leading[0])),
            self.y.eq(table.rd0),
        ]
        m.d.comb += self.half.eq(delayed(m, search.leading[1:], _TABLE_LATENCY, "half"))
        return m


def _table(contents: list[int]) -> Memory:
    assert len(contents) % (1 << TABLE_INDEX_BITS) == 0
    return Memory(
        depth=len(contents),
        width=FACTOR_BITS,
        style="block",
        latency=_TABLE_LATENCY,
        contents=contents,
        writable=False,
    )
