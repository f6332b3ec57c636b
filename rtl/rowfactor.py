"""Row sums of probabilities and the factor of each row, golden ``attention.row_factors``."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import FACTOR_BITS, PROBABILITY_OFFSET
from m3vit.rtl.dsp48e2 import A_BITS, B_BITS, C_BITS, PRODUCT, W_RND, Z_ZERO, dsp48e2
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.memory import Memory
from m3vit.rtl.reciprocal import Reciprocal
from m3vit.rtl.requantise import SHIFT_BITS

_HIGHEST = 254
_BASE = 15
_MULTIPLY = 3
_WORD = FACTOR_BITS + SHIFT_BITS


class RowFactor(Component):
    """Sums p over key tiles by query pair; at the last one stores F and 15 + L - a.

    One member.  Ports: ``p`` int8 [R] (value - 128); ``address``, ``first``, ``last``,
    ``enable``; ``gain`` G and ``gain_shift`` a, constant while rows are in flight; ``ra`` reads
    a pair's ``factor`` u16 and ``shift`` one cycle later.

    Latency: factor and shift can be read (``ra``) ``LATENCY`` cycles after the last tile.  An
    address may come again after 3 cycles.
    """

    REVISIT = 3

    def __init__(self, *, rows: int, pairs: int, max_tokens: int) -> None:
        self.rows, self.pairs = rows, pairs
        self.levels = (rows - 1).bit_length()
        self.sum_bits = (_HIGHEST * max_tokens).bit_length()
        self.inverse = Reciprocal(self.sum_bits)
        self.LATENCY = self.levels + 2 + self.inverse.LATENCY + _MULTIPLY + 1
        self.module_name = f"rowfactor_r{rows}_p{pairs}_t{max_tokens}"
        address = (pairs - 1).bit_length()
        super().__init__(
            {
                "p": In(8 * rows),
                "address": In(address),
                "first": In(1),
                "last": In(1),
                "enable": In(1),
                "gain": In(FACTOR_BITS),
                "gain_shift": In(3),
                "ra": In(address),
                "factor": Out(FACTOR_BITS),
                "shift": Out(SHIFT_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Tree, running sum, reciprocal, gain, store."""
        m = Module()
        total, address, done = self._sum(m)
        m.submodules.inverse = inverse = self.inverse
        m.d.comb += inverse.x.eq(total)
        product = Signal(C_BITS)
        m.submodules.multiply = dsp48e2(
            opmode=W_RND + Z_ZERO + PRODUCT,
            parameters={
                "DREG": 0,
                "ADREG": 0,
                "CREG": 0,
                "RND": Const(1 << (FACTOR_BITS - 1), C_BITS),
            },
            outputs={"P": product},
            A=Cat(inverse.r, Const(0, A_BITS - FACTOR_BITS)),
            B=Cat(self.gain, Const(0, B_BITS - FACTOR_BITS)),
        )
        leading = delayed(m, inverse.leading, _MULTIPLY - 1, "leading")
        shift = register(SHIFT_BITS, "shift_held")
        m.d.sync += shift.eq(_BASE + leading - self.gain_shift)
        self._store(m, Cat(product[FACTOR_BITS : 2 * FACTOR_BITS], shift), address, done)
        return m

    def _sum(self, m: Module) -> tuple[Value, Value, Value]:
        codes = [Cat(p[:7], ~p[7]) for p in lanes(self.p, 8)]
        tile = _tree(m, codes)
        address = delayed(m, self.address, self.levels, "address")
        first = delayed(m, self.first, self.levels + 1, "first")
        enable = delayed(m, self.enable, self.levels, "enable")
        done = delayed(m, self.last & self.enable, self.levels + 2, "done")
        m.submodules.sums = sums = Memory(
            depth=self.pairs, width=self.sum_bits, style="distributed"
        )
        total = register(self.sum_bits, "total")
        m.d.sync += total.eq(delayed(m, tile, 1, "tile") + Mux(first, 0, sums.rd0))
        later = delayed(m, address, 2, "later")
        m.d.comb += [
            sums.ra0.eq(address),
            sums.wa.eq(later),
            sums.wd.eq(total),
            sums.we.eq(delayed(m, enable, 2, "write")),
        ]
        return total, later, done

    def _store(self, m: Module, word: Value, address: Value, done: Value) -> None:
        late = self.inverse.LATENCY + _MULTIPLY
        m.submodules.factors = factors = Memory(depth=self.pairs, width=_WORD, style="distributed")
        m.d.comb += [
            factors.wd.eq(word),
            factors.wa.eq(delayed(m, address, late, "factor_address")),
            factors.we.eq(delayed(m, done, late, "factor_write")),
            factors.ra0.eq(self.ra),
            Cat(self.factor, self.shift).eq(factors.rd0),
        ]


def _tree(m: Module, terms: list[Value]) -> Value:
    """Sum of unsigned terms, a register a level."""
    level = 0
    while len(terms) > 1:
        sums = []
        for index in range(0, len(terms), 2):
            pair = terms[index : index + 2]
            total = register(len(terms[0]) + 1, f"sum{level}_{index}")
            m.d.sync += total.eq(sum(pair[1:], pair[0]))
            sums.append(total)
        terms, level = sums, level + 1
    return terms[0]


assert PROBABILITY_OFFSET == 1 << 7, "p - 128 is p with its top bit inverted"
