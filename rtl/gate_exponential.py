"""Exponential of a logit's distance from the largest, golden ``gate.exponentials``."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import (
    GATE_DELTA_LIMIT,
    GATE_DIFFERENCE_LIMIT,
    gate_exponential_table,
)
from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.library import delayed, register, shared
from m3vit.rtl.requantise import SHIFT_BITS, RequantiseLane, lane_controls
from m3vit.rtl.topk import LOGIT_BITS

_DELTA_BITS = GATE_DELTA_LIMIT.bit_length()
_STEP_BITS = 6
_DIFFERENCE = 2
_CLAMP = 1
_TABLE = 3


class GateExponential(Component):
    """x = GEXP[d & 63] >> (d >> 6), d = min(1023, rshift(min(top - z, 2^26 - 1) * M, n)).

    Ports: ``z``, ``top`` int32 with top >= z; ``factor`` M u16 and ``shift`` n (1 to 40),
    constant; ``x`` u16.  Latency: ``LATENCY`` cycles.
    """

    LATENCY = _DIFFERENCE + RequantiseLane.LATENCY + _CLAMP + _TABLE

    def __init__(self) -> None:
        self.module_name = "gate_exponential"
        super().__init__(
            {
                "z": In(LOGIT_BITS),
                "top": In(LOGIT_BITS),
                "factor": In(16),
                "shift": In(SHIFT_BITS),
                "x": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Difference, factor, table, shift in two digits."""
        m = Module()
        bits = GATE_DIFFERENCE_LIMIT.bit_length()
        wide, difference = register(LOGIT_BITS, "wide"), register(bits, "difference")
        m.d.sync += [
            wide.eq(self.top - self.z),
            difference.eq(Mux(wide[bits:].any(), GATE_DIFFERENCE_LIMIT, wide[:bits])),
        ]
        scaled, delta = Signal(18), register(_DELTA_BITS, "delta")
        m.submodules.scale = shared(
            RequantiseLane(),
            acc=Cat(difference, Const(0, ACCUMULATOR_BITS - bits)),
            factor=self.factor,
            y=scaled,
            **lane_controls(m, self.shift, Const(0, 2), "scale"),
        )
        m.d.sync += delta.eq(
            Mux(scaled[_DELTA_BITS:].any(), GATE_DELTA_LIMIT, scaled[:_DELTA_BITS])
        )
        entry = Signal(16)
        with m.Switch(delta[:_STEP_BITS]):
            for index, value in enumerate(gate_exponential_table().tolist()):
                with m.Case(index):
                    m.d.comb += entry.eq(value)
        exact, coarse = register(16, "exact"), register(16, "coarse")
        octaves = delta[_STEP_BITS:]
        by_four = delayed(m, octaves[2:], 1, "by_four")
        by_one = delayed(m, octaves[:2], 2, "by_one")
        result = register(16, "x_held")
        m.d.sync += [
            exact.eq(entry),
            coarse.eq(exact >> Cat(Const(0, 2), by_four)),
            result.eq(coarse >> by_one),
        ]
        m.d.comb += self.x.eq(result)
        return m
