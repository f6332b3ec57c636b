"""Accumulators of a group: one word of LUTRAM a token pair, 27 bits a lane."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import ACCUMULATOR_LIMIT
from m3vit.rtl.library import lanes, register
from m3vit.rtl.memory import Memory

ACCUMULATOR_BITS = ACCUMULATOR_LIMIT.bit_length()


class Accumulator(Component):
    """acc[address] = (first ? initial : acc[address]) + sum for 2 x columns lanes.

    Ports: ``address``, ``first``, ``enable``, ``sum`` signed ``sum_bits`` [2][C], ``initial``
    int27 [C] (bias, or 128 * sum of V; both members take the same); ``acc`` int27 [2][C].

    Latency: 2 cycles.  An address may come again after 3 cycles.
    """

    LATENCY = 2
    REVISIT = 3

    def __init__(self, *, columns: int, sum_bits: int, pairs: int) -> None:
        if not sum_bits <= ACCUMULATOR_BITS:
            raise ConfigurationError(
                f"accumulator: sum_bits must be at most {ACCUMULATOR_BITS}, not {sum_bits}"
            )
        self.columns, self.sum_bits, self.pairs = columns, sum_bits, pairs
        self.module_name = f"accumulator_c{columns}_s{sum_bits}_p{pairs}"
        super().__init__(
            {
                "address": In((pairs - 1).bit_length()),
                "first": In(1),
                "enable": In(1),
                "sum": In(2 * columns * sum_bits),
                "initial": In(columns * ACCUMULATOR_BITS),
                "acc": Out(2 * columns * ACCUMULATOR_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Read, add, write back."""
        m = Module()
        width = len(self.acc)
        m.submodules.store = store = Memory(depth=self.pairs, width=width, style="distributed")
        first, sums = register(1, "first_1"), register(len(self.sum), "sum_1")
        initial = register(len(self.initial), "initial_1")
        m.d.sync += [first.eq(self.first), sums.eq(self.sum), initial.eq(self.initial)]
        m.d.comb += store.ra0.eq(self.address)
        start = lanes(initial, ACCUMULATOR_BITS) * 2
        held = lanes(store.rd0, ACCUMULATOR_BITS)
        totals = [
            (Mux(first, each, stored).as_signed() + term.as_signed())[:ACCUMULATOR_BITS]
            for each, stored, term in zip(start, held, lanes(sums, self.sum_bits), strict=True)
        ]
        result = register(width, "result")
        m.d.sync += result.eq(Cat(*totals))
        m.d.comb += [self.acc.eq(result), store.wd.eq(result)]
        self._write_back(m, store)
        return m

    def _write_back(self, m: Module, store: Memory) -> None:
        address = [register(len(self.address), f"address_{stage}") for stage in (1, 2)]
        enable = [Signal(1, name=f"enable_{stage}") for stage in (1, 2)]
        m.d.sync += [address[0].eq(self.address), address[1].eq(address[0])]
        m.d.sync += [enable[0].eq(self.enable), enable[1].eq(enable[0])]
        m.d.comb += [store.wa.eq(address[1]), store.we.eq(enable[1])]
