"""Probabilities of score rows on their way to the array, golden ``softmax``.

Key tile by key tile in ascending order; the chains' residues stay in LUTRAM by query pair.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.formats import CHAINS, SCORE_BITS, exponential_table
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.memory import Memory

EXPONENTIAL_BITS = 16
RESIDUE_BITS = 8
START = 128
"""Residue of a chain before its first key."""

_DELTAS = 256


class Exponential(Component):
    """e = EXP[d & 15] >> (d >> 4), d = min(255, max - s); zero for keys that do not exist.

    Ports: ``s``, ``best`` int10, ``valid`` one cycle later; ``e`` u16.  Latency: 2 cycles.
    """

    LATENCY = 2

    def __init__(self) -> None:
        self.module_name = "exponential"
        super().__init__(
            {
                "s": In(SCORE_BITS),
                "best": In(SCORE_BITS),
                "valid": In(1),
                "e": Out(EXPONENTIAL_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Difference, then a constant table of 256 entries in logic."""
        m = Module()
        delta, e = register(SCORE_BITS, "delta"), register(EXPONENTIAL_BITS, "e_held")
        m.d.sync += delta.eq(self.best.as_signed() - self.s.as_signed())
        entry = Signal(EXPONENTIAL_BITS)
        table = exponential_table().tolist()
        with m.Switch(delta[:8]):
            for d in range(_DELTAS):
                with m.Case(d):
                    m.d.comb += entry.eq(table[d & 15] >> (d >> 4))
        smallest = table[15] >> 15
        far = delta[8:].any()
        m.d.sync += e.eq(Mux(self.valid, Mux(far, smallest, entry), 0))
        m.d.comb += self.e.eq(e)
        return m


class Softmax(Component):
    """R keys of two queries a cycle to p - 128.

    Ports: ``s`` int10 [2][R]; ``best`` int10 [2]: the row maxima; ``valid`` [R]: the key exists;
    ``address`` of the pair; ``phase``: key tile modulo 32/R; ``first``: no earlier key of these
    chains; ``enable``.  ``p`` int8 [2][R], the value minus 128.

    Latency: 3 cycles.  The same address and phase may come again after 3 cycles.
    """

    LATENCY = Exponential.LATENCY + 1
    REVISIT = 3

    def __init__(self, *, rows: int, pairs: int) -> None:
        if CHAINS % rows:
            raise ConfigurationError(f"softmax: rows must divide {CHAINS}, not {rows}")
        self.rows, self.pairs, self.phases = rows, pairs, CHAINS // rows
        self.module_name = f"softmax_r{rows}_p{pairs}"
        super().__init__(
            {
                "s": In(2 * rows * SCORE_BITS),
                "best": In(2 * SCORE_BITS),
                "valid": In(rows),
                "address": In((pairs - 1).bit_length()),
                "phase": In(max(1, (self.phases - 1).bit_length())),
                "first": In(1),
                "enable": In(1),
                "p": Out(2 * rows * 8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Exponentials meet the residues, which go back."""
        m = Module()
        width = 2 * self.rows * RESIDUE_BITS
        depth = self.phases << len(self.address)
        m.submodules.store = store = Memory(depth=depth, width=width, style="distributed")
        where = Cat(self.address, self.phase)[: store.address_bits]
        first = delayed(m, self.first, Exponential.LATENCY, "first")
        m.d.comb += store.ra0.eq(delayed(m, where, Exponential.LATENCY - 1, "read"))
        totals = [
            self._chain(m, lane, residue, first)
            for lane, residue in enumerate(lanes(store.rd0, RESIDUE_BITS))
        ]
        m.d.comb += [
            self.p.eq(Cat(Cat(total[8:15], ~total[15]) for total in totals)),
            store.wd.eq(Cat(total[:RESIDUE_BITS] for total in totals)),
            store.wa.eq(delayed(m, where, self.LATENCY, "write_address")),
            store.we.eq(delayed(m, self.enable, self.LATENCY, "write")),
        ]
        return m

    def _chain(self, m: Module, lane: int, residue: Value, first: Value) -> Value:
        member, row = divmod(lane, self.rows)
        e = Signal(EXPONENTIAL_BITS, name=f"e{lane}")
        m.submodules[f"lane{lane}"] = shared(
            Exponential(),
            s=lanes(self.s, SCORE_BITS)[lane],
            best=lanes(self.best, SCORE_BITS)[member],
            valid=delayed(m, self.valid[row], 1, f"valid{lane}"),
            e=e,
        )
        total = register(EXPONENTIAL_BITS, f"total{lane}")
        m.d.sync += total.eq(e + Mux(first, Const(START, RESIDUE_BITS), residue))
        return total
