"""One column of the array: R/8 cascades of eight packed DSPs and the tree that joins them.

Two tokens share a DSP: (a1 * 2^18 + a0) * w through the pre-adder.  RND = 2^17 in the first DSP
of a cascade keeps the low field non-negative, so the high field needs no borrow correction and
the low sum is the low field with its top bit inverted.  Eight products of [-128, 127] x
[-127, 127] fit the low field and no more: cascades of eight, weights never -128.
"""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import CASCADE
from m3vit.rtl.dsp48e2 import (
    A_BITS,
    B_BITS,
    C_BITS,
    D_BITS,
    PRE_ADD,
    PRODUCT,
    W_RND,
    W_ZERO,
    Z_PCIN,
    Z_ZERO,
    dsp48e2,
    extended,
)
from m3vit.rtl.library import lanes, register

FIELD_BITS = 18
"""One packed sum: eight products of int8."""

_OFFSET = 1 << (FIELD_BITS - 1)


class Column(Component):
    """Sums of R products for two tokens a cycle.

    Ports: ``a1``, ``a0`` int8 [R] of members 1 and 0, row r of every cascade r % 8 cycles late;
    ``w`` int8 [chains] and ``load`` one-hot [8] write B1 of one row of every cascade; ``swap``
    [8] copies B1 to B2 row by row, one cycle after the row's first activation; ``s1``, ``s0``
    sums of ``sum_bits``.

    Latency: ``LATENCY`` cycles from row 0's activations to the sums.
    """

    def __init__(self, rows: int) -> None:
        if rows < CASCADE or rows & (rows - 1):
            raise ConfigurationError(f"column: rows must be 8, 16, 32 or 64, not {rows}")
        self.rows, self.chains = rows, rows // CASCADE
        self.levels = (self.chains - 1).bit_length()
        self.sum_bits = FIELD_BITS + self.levels
        self.LATENCY = 4 + (CASCADE - 1) + self.levels
        self.module_name = f"column_r{rows}"
        super().__init__(
            {
                "a1": In(8 * rows),
                "a0": In(8 * rows),
                "w": In(8 * self.chains),
                "load": In(CASCADE),
                "swap": In(CASCADE),
                "s1": Out(self.sum_bits),
                "s0": Out(self.sum_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Cascades side by side, then the two trees."""
        m = Module()
        ends = [self._cascade(m, chain) for chain in range(self.chains)]
        high = [end[FIELD_BITS : 2 * FIELD_BITS] for end in ends]
        low = [Cat(end[: FIELD_BITS - 1], ~end[FIELD_BITS - 1]) for end in ends]
        m.d.comb += [self.s1.eq(_tree(m, high, "high")), self.s0.eq(_tree(m, low, "low"))]
        return m

    def _cascade(self, m: Module, chain: int) -> Value:
        a1, a0, w = lanes(self.a1, 8), lanes(self.a0, 8), lanes(self.w, 8)[chain]
        carried: Value = Const(0, C_BITS)
        for row in range(CASCADE):
            index, first = chain * CASCADE + row, row == 0
            result = Signal(C_BITS, name=f"p{index}")
            onward = Signal(C_BITS, name=f"pcout{index}")
            m.submodules[f"dsp{index}"] = dsp48e2(
                opmode=PRODUCT + (W_RND + Z_ZERO if first else W_ZERO + Z_PCIN),
                inmode=PRE_ADD,
                parameters={
                    "AMULTSEL": "AD",
                    "BREG": 2,
                    "CREG": 0,
                    "RND": Const(_OFFSET if first else 0, C_BITS),
                },
                outputs={"P": result, "PCOUT": onward},
                A=extended(Cat(Const(0, FIELD_BITS), a1[index]), A_BITS),
                D=extended(a0[index], D_BITS),
                B=extended(w, B_BITS),
                PCIN=carried,
                CEB1=self.load[row],
                CEB2=self.swap[row],
            )
            carried = onward
        return result


def _tree(m: Module, terms: list[Value], name: str) -> Value:
    """Sum of a power of two of signed terms, a register a level."""
    level = 0
    while len(terms) > 1:
        sums = []
        for index, (left, right) in enumerate(zip(terms[::2], terms[1::2], strict=True)):
            total = register(len(left) + 1, f"{name}{level}_{index}")
            m.d.sync += total.eq(left.as_signed() + right.as_signed())
            sums.append(total)
        terms, level = sums, level + 1
    return terms[0]
