"""Gate score times expert output: rshift(y * w, 16 + g), golden ``expert.weigh``."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import RESIDUAL_BITS
from m3vit.hw.golden.expert import GATE_SCORE_BITS
from m3vit.rtl.dsp48e2 import A_BITS, B_BITS, C_BITS, PRODUCT, W_ZERO, Z_C, dsp48e2, extended
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.shift_saturate import Range, ShiftSaturate

WEIGHT_BITS = GATE_SCORE_BITS + 1
"""One more than a gate score: 2^16 is the weight 1 of contributions without a gate."""

ONE = 1 << GATE_SCORE_BITS

_MULTIPLY = 3
_DIGITS = 2
GUARD_BITS = 3


class WeighLane(Component):
    """One channel.

    Ports: ``y`` int18, ``w`` of 17 bits; ``half`` one cycle later; ``shift1`` = g / 4 after 3
    cycles, ``shift0`` = g mod 4 after 4; ``term`` int18.  Latency: 6 cycles.
    """

    LATENCY = _MULTIPLY + _DIGITS + 1

    def __init__(self) -> None:
        self.module_name = "weigh_lane"
        super().__init__(
            {
                "y": In(RESIDUAL_BITS),
                "w": In(WEIGHT_BITS),
                "half": In(C_BITS),
                "shift0": In(2),
                "shift1": In(2),
                "term": Out(RESIDUAL_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """DSP, then the shift by g; 16 bits are dropped by wiring."""
        m = Module()
        p = Signal(C_BITS)
        m.submodules.multiply = dsp48e2(
            opmode=W_ZERO + Z_C + PRODUCT,
            parameters={"DREG": 0, "ADREG": 0},
            outputs={"P": p},
            A=extended(self.y, A_BITS),
            B=Cat(self.w, Const(0, B_BITS - WEIGHT_BITS)),
            C=self.half,
        )
        m.submodules.shifter = shifter = ShiftSaturate(
            width=RESIDUAL_BITS + 1, bits=RESIDUAL_BITS, digits=_DIGITS
        )
        m.d.comb += [
            shifter.x.eq(p[GATE_SCORE_BITS : GATE_SCORE_BITS + RESIDUAL_BITS + 1]),
            shifter.range.eq(Range.WIDE),
            shifter.shift0.eq(self.shift0),
            shifter.shift1.eq(self.shift1),
            self.term.eq(shifter.y),
        ]
        return m


class Weigh(Component):
    """``size`` channels of one token a cycle.

    Ports: ``y`` int18 [size]; ``w`` of 17 bits (2^16 with ``guard`` 0 leaves y as it is);
    ``guard`` g; ``term`` int18 [size].  Latency: 7 cycles.
    """

    LATENCY = 1 + WeighLane.LATENCY

    def __init__(self, size: int) -> None:
        self.size = size
        self.module_name = f"weigh_{size}"
        super().__init__(
            {
                "y": In(size * RESIDUAL_BITS),
                "w": In(WEIGHT_BITS),
                "guard": In(GUARD_BITS),
                "term": Out(size * RESIDUAL_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Half of the unit is decoded once for all lanes."""
        m = Module()
        y, w = register(len(self.y), "y_held"), register(WEIGHT_BITS, "w_held")
        guard, half = register(GUARD_BITS, "guard_held"), register(C_BITS, "half")
        unit = Const(1 << (GATE_SCORE_BITS - 1), C_BITS)
        m.d.sync += [y.eq(self.y), w.eq(self.w), guard.eq(self.guard), half.eq(unit << guard)]
        common = {
            "w": w,
            "half": half,
            "shift1": delayed(m, Cat(guard[2], Const(0, 1)), _MULTIPLY, "shift1"),
            "shift0": delayed(m, guard[:2], _MULTIPLY + 1, "shift0"),
        }
        terms = []
        for lane, value in enumerate(lanes(y, RESIDUAL_BITS)):
            term = Signal(RESIDUAL_BITS, name=f"term{lane}")
            m.submodules[f"lane{lane}"] = shared(WeighLane(), y=value, term=term, **common)
            terms.append(term)
        m.d.comb += self.term.eq(Cat(*terms))
        return m
