"""Row maximum of scores, kept by query pair while they are written (first half of softmax)."""

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import SCORE_BITS
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.memory import Memory

LOWEST = 1 << (SCORE_BITS - 1)
"""-512 as bits: a negative constant would widen the multiplexers."""


class RowMaximum(Component):
    """best[address] = max(first ? lowest : best[address], scores of this key tile), two members.

    Ports: ``s`` int10 [2][C]; ``valid`` [C]: the key exists; ``address`` of the pair, ``first``
    key tile, ``enable``; ``ra`` reads another pair's two maxima ``best`` one cycle later.

    Latency: a pair's maxima can be read (``ra``) ``LATENCY`` cycles after its last scores.  An
    address may come again after 3 cycles.
    """

    REVISIT = 3

    def __init__(self, *, columns: int, pairs: int) -> None:
        self.columns, self.pairs = columns, pairs
        self.levels = (columns - 1).bit_length()
        self.LATENCY = 1 + self.levels + 3
        self.module_name = f"rowmax_c{columns}_p{pairs}"
        address = (pairs - 1).bit_length()
        super().__init__(
            {
                "s": In(2 * columns * SCORE_BITS),
                "valid": In(columns),
                "address": In(address),
                "first": In(1),
                "enable": In(1),
                "ra": In(address),
                "best": Out(2 * SCORE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Tree, then read, compare, write back."""
        m = Module()
        tops = [self._tree(m, member) for member in range(2)]
        late = 1 + self.levels
        address = delayed(m, self.address, late, "address")
        first, enable = delayed(m, self.first, late, "first"), delayed(m, self.enable, late, "en")
        m.submodules.store = store = Memory(
            depth=self.pairs, width=2 * SCORE_BITS, style="distributed", readers=2
        )
        result = register(2 * SCORE_BITS, "result")
        m.d.comb += [store.ra0.eq(address), store.ra1.eq(self.ra), self.best.eq(store.rd1)]
        fresh = delayed(m, first, 1, "fresh")
        new = [
            _greater(delayed(m, top, 1, f"top{member}"), Mux(fresh, Const(LOWEST, SCORE_BITS), old))
            for member, (top, old) in enumerate(
                zip(tops, lanes(store.rd0, SCORE_BITS), strict=True)
            )
        ]
        m.d.sync += result.eq(Cat(*new))
        m.d.comb += [
            store.wd.eq(result),
            store.wa.eq(delayed(m, address, 2, "write_address")),
            store.we.eq(delayed(m, enable, 2, "write")),
        ]
        return m

    def _tree(self, m: Module, member: int) -> Value:
        scores = lanes(self.s, SCORE_BITS)[member * self.columns : (member + 1) * self.columns]
        level = []
        for column, score in enumerate(scores):
            held = register(SCORE_BITS, f"in{member}_{column}")
            m.d.sync += held.eq(Mux(self.valid[column], score, Const(LOWEST, SCORE_BITS)))
            level.append(held)
        for depth in range(self.levels):
            pairs = zip(level[::2], level[1::2], strict=False)
            odd = level[len(level) // 2 * 2 :]
            level = []
            for index, value in enumerate([*(_greater(*pair) for pair in pairs), *odd]):
                held = register(SCORE_BITS, f"max{member}_{depth}_{index}")
                m.d.sync += held.eq(value)
                level.append(held)
        return level[0]


def _greater(left: Value, right: Value) -> Value:
    return Mux(left.as_signed() > right.as_signed(), left, right)[:SCORE_BITS]
