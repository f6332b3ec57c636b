"""One channel of LayerNorm: centre, scale by the reciprocal root, gamma and beta."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.dsp48e2 import A_BITS, B_BITS, C_BITS, PRODUCT, W_ZERO, Z_C, dsp48e2, extended
from m3vit.rtl.library import register, shared
from m3vit.rtl.multiply import LATENCY as SMALL_LATENCY
from m3vit.rtl.multiply import times_small
from m3vit.rtl.requantise import RequantiseLane
from m3vit.rtl.shift_saturate import Range, ShiftSaturate

NORMAL_BITS = 16
OFFSET_BITS = 42
"""n * gamma + beta + half: below 2^31 + 2^31 + 2^39."""

_MULTIPLY = 3
_SHIFT_DIGITS = 3


class LayerNormLane(Component):
    """y = sat8((n * gamma + offset) >> shift), n = sat16(rshift((C * x - S1) * root, amount)).

    Ports by the cycle in which they are to be given: 0 ``x``, ``units`` = C/16; 3 ``total`` = S1;
    4 ``root``; 5 ``half`` of 2^amount; 9, 8, 7 ``scale0`` .. ``scale2``: digits of the amount;
    ``GAMMA`` = 11 ``gamma``; 12 ``offset`` = beta + half of 2^shift; 16, 15, 14 ``shift0`` ..
    ``shift2``.  Latency: 18 cycles.
    """

    CENTRED = SMALL_LATENCY + 1
    GAMMA = CENTRED + RequantiseLane.LATENCY
    LATENCY = GAMMA + _MULTIPLY + _SHIFT_DIGITS + 1

    def __init__(self, total_bits: int) -> None:
        self.total_bits = total_bits
        self.module_name = f"layernorm_lane_{total_bits}"
        digits = {f"{name}{d}": In(2) for name in ("scale", "shift") for d in range(3)}
        super().__init__(
            {
                "x": In(16),
                "units": In(6),
                "total": In(total_bits),
                "root": In(16),
                "half": In(C_BITS),
                "gamma": In(16),
                "offset": In(OFFSET_BITS),
                **digits,
                "y": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Centre, requantise, affine, shift."""
        m = Module()
        centred, n = register(ACCUMULATOR_BITS, "centred"), Signal(NORMAL_BITS)
        scaled = Cat(Const(0, 4), times_small(m, self.x, self.units, "scaled"))
        m.d.sync += centred.eq(scaled.as_signed() - self.total.as_signed())
        m.submodules.normal = shared(
            RequantiseLane(NORMAL_BITS),
            acc=centred,
            factor=self.root,
            half=self.half,
            shift0=self.scale0,
            shift1=self.scale1,
            shift2=self.scale2,
            range=Const(0, 2),  # Range.WIDE: 16 bits
            y=n,
        )
        p = Signal(C_BITS)
        m.submodules.affine = dsp48e2(
            opmode=W_ZERO + Z_C + PRODUCT,
            parameters={"DREG": 0, "ADREG": 0},
            outputs={"P": p},
            A=extended(n, A_BITS),
            B=extended(self.gamma, B_BITS),
            C=extended(self.offset, C_BITS),
        )
        m.submodules.shifter = shifter = ShiftSaturate(
            width=OFFSET_BITS, bits=8, digits=_SHIFT_DIGITS
        )
        m.d.comb += [shifter.x.eq(p[:OFFSET_BITS]), shifter.range.eq(Range.WIDE)]
        m.d.comb += [getattr(shifter, f"shift{d}").eq(getattr(self, f"shift{d}")) for d in range(3)]
        m.d.comb += self.y.eq(shifter.y)
        return m
