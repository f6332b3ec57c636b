"""Sums of V over the tokens by group, column tile and column: A.V starts from 128 times them."""

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import PROBABILITY_OFFSET
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.memory import Memory
from m3vit.rtl.query import HEAD_LIMIT

_SHIFT = PROBABILITY_OFFSET.bit_length() - 1


class ValueSums(Component):
    """Ports: ``add`` of a pair's int8 values ``v0``, ``v1`` [G][C] to ``tile`` (``first``: from
    zero; ``both``: v1 exists), once in three cycles; ``ra`` to ``initial`` int27 [G][C], one cycle
    later.
    """

    REVISIT = 3

    def __init__(self, machine: MachineConfig) -> None:
        self.panel, self.tiles = machine.panel, -(-HEAD_LIMIT // machine.columns)
        self.bits = ACCUMULATOR_BITS - _SHIFT
        super().__init__(
            {
                "add": In(1),
                "first": In(1),
                "both": In(1),
                "tile": In(3),
                "v0": In(8 * self.panel),
                "v1": In(8 * self.panel),
                "ra": In(3),
                "initial": Out(self.panel * ACCUMULATOR_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Pair sum beside the read, then the total, then the write."""
        m = Module()
        m.submodules.store = store = Memory(
            depth=self.tiles, width=self.panel * self.bits, style="distributed", readers=2
        )
        where = store.address_bits
        m.d.comb += [store.ra0.eq(self.tile[:where]), store.ra1.eq(self.ra[:where])]
        first = delayed(m, self.first, 1, "first")
        totals: list[Value] = []
        stored = lanes(store.rd0, self.bits)
        pairs = zip(lanes(self.v0, 8), lanes(self.v1, 8), stored, strict=True)
        for column, (v0, v1, old) in enumerate(pairs):
            pair = register(9, f"pair{column}")
            total = register(self.bits, f"total{column}")
            m.d.sync += pair.eq(v0.as_signed() + Mux(self.both, v1.as_signed(), 0))
            m.d.sync += total.eq(pair.as_signed() + Mux(first, 0, old.as_signed()))
            totals.append(total)
        m.d.comb += [
            store.wd.eq(Cat(*totals)),
            store.wa.eq(delayed(m, self.tile, 2, "tile")),
            store.we.eq(delayed(m, self.add, 2, "add")),
            self.initial.eq(
                Cat(Cat(Const(0, _SHIFT), total) for total in lanes(store.rd1, self.bits))
            ),
        ]
        return m
