"""Requantisation: satN(rshift(acc * factor, shift)), golden ``requantise``.

One DSP a lane: 27-bit accumulator times 16-bit factor plus half through C, then the shifter.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import FACTOR_BITS, RESIDUAL_BITS
from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.dsp48e2 import A_BITS, B_BITS, C_BITS, PRODUCT, W_ZERO, Z_C, dsp48e2, extended
from m3vit.rtl.lane_models import lane_model
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.shift_saturate import Range, ShiftSaturate

SHIFT_BITS = 6
PRODUCT_BITS = ACCUMULATOR_BITS + FACTOR_BITS + 1
"""Signed product and half fit: |acc| < 2^26, factor < 2^16, half <= 2^39; 2^42 can be passed."""


class RequantiseLane(Component):
    """One value a cycle.

    Ports: ``acc`` int27, ``factor`` u16; ``half`` one cycle later; ``shift0`` .. ``shift2``
    after 5, 4, 3 cycles, ``range`` after 6; ``y`` of ``bits``.  Latency: 7 cycles.
    """

    MULTIPLY = 3
    DIGITS = SHIFT_BITS // 2
    LATENCY = MULTIPLY + DIGITS + 1

    def __init__(self, bits: int = RESIDUAL_BITS) -> None:
        self.bits = bits
        self.module_name = f"requantise_lane_{bits}"
        super().__init__(
            {
                "acc": In(ACCUMULATOR_BITS),
                "factor": In(FACTOR_BITS),
                "half": In(C_BITS),
                **{f"shift{digit}": In(2) for digit in range(self.DIGITS)},
                "range": In(Range),
                "y": Out(bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """DSP, shifter."""
        m = Module()
        p = Signal(C_BITS)
        m.submodules.multiply = dsp48e2(
            opmode=W_ZERO + Z_C + PRODUCT,
            parameters={"DREG": 0, "ADREG": 0},
            outputs={"P": p},
            A=extended(self.acc, A_BITS),
            B=Cat(self.factor, Const(0, B_BITS - FACTOR_BITS)),
            C=self.half,
            CEB1=Const(0, 1),
        )
        m.submodules.shifter = shifter = ShiftSaturate(
            width=PRODUCT_BITS, bits=self.bits, digits=self.DIGITS
        )
        m.d.comb += [shifter.x.eq(p[:PRODUCT_BITS]), self.y.eq(shifter.y)]
        m.d.comb += Value.cast(shifter.range).eq(Value.cast(self.range))
        for digit in range(self.DIGITS):
            name = f"shift{digit}"
            m.d.comb += getattr(shifter, name).eq(getattr(self, name))
        return m


def lane_controls(m: Module, shift: Value, range_: Value, name: str) -> dict[str, Value]:
    """Connections of lanes whose ``acc`` comes with ``shift`` and ``range_``: half and delays."""
    half = register(C_BITS, f"{name}_half")
    m.d.sync += half.eq((Const(1, C_BITS + 1) << shift)[1:])
    start = RequantiseLane.MULTIPLY
    digits = {
        f"shift{digit}": delayed(
            m,
            shift[2 * digit : 2 * digit + 2],
            start + RequantiseLane.DIGITS - 1 - digit,
            f"{name}_shift{digit}",
        )
        for digit in range(RequantiseLane.DIGITS)
    }
    clamp = delayed(m, range_, start + RequantiseLane.DIGITS, f"{name}_range")
    return {"half": half, **digits, "range": clamp}


class Requantise(Component):
    """A group's 2 x C accumulators a cycle.

    Ports: ``acc`` int27 [2][C]; ``factor`` u16 [C] by column; ``rows``: take ``row_factor``
    u16 [2] by member instead; ``shift`` 1 to 40 [2] by member; ``range`` (see Range);
    ``y`` [2][C] of 18 bits.

    Latency: 8 cycles.
    """

    LATENCY = 1 + RequantiseLane.LATENCY

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.module_name = f"requantise_c{columns}"
        super().__init__(
            {
                "acc": In(2 * columns * ACCUMULATOR_BITS),
                "factor": In(columns * FACTOR_BITS),
                "rows": In(1),
                "row_factor": In(2 * FACTOR_BITS),
                "shift": In(2 * SHIFT_BITS),
                "range": In(2),
                "y": Out(2 * columns * RESIDUAL_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Factor multiplexers, then the lanes."""
        m = Module()
        acc = register(len(self.acc), "acc_held")
        m.d.sync += acc.eq(self.acc)
        members = [self._controls(m, member) for member in range(2)]
        results = []
        for lane, value in enumerate(lanes(acc, ACCUMULATOR_BITS)):
            member, column = divmod(lane, self.columns)
            factor, y = (
                register(FACTOR_BITS, f"factor{lane}"),
                Signal(RESIDUAL_BITS, name=f"y{lane}"),
            )
            m.d.sync += factor.eq(
                Mux(
                    self.rows,
                    lanes(self.row_factor, FACTOR_BITS)[member],
                    lanes(self.factor, FACTOR_BITS)[column],
                )
            )
            m.submodules[f"lane{lane}"] = shared(
                RequantiseLane(), acc=value, factor=factor, y=y, **members[member]
            )
            results.append(y)
        m.d.comb += self.y.eq(Cat(*results))
        return m

    @property
    def model(self) -> str:
        """The module for simulation (see ``library.convert``)."""
        ports = ("acc", "factor", "rows", "row_factor", "shift", "range")
        return lane_model(
            name=self.module_name,
            model=f"RequantiseModel<{self.columns}>",
            inputs={port: len(getattr(self, port)) for port in ports},
            output="y",
            output_bits=len(self.y),
        )

    def _controls(self, m: Module, member: int) -> dict[str, Value]:
        shift, clamp = register(SHIFT_BITS, f"shift_m{member}"), register(2, f"range_m{member}")
        m.d.sync += [
            shift.eq(lanes(self.shift, SHIFT_BITS)[member]),
            clamp.eq(self.range),
        ]
        return lane_controls(m, shift, clamp, f"m{member}")
