"""Scores: sat10(rshift(acc, shift)), golden ``scores``; shifts only, no multiplier."""

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import SCORE_BITS, SCORE_SHIFT_LIMIT
from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.lane_models import lane_model
from m3vit.rtl.library import delayed, lanes, register, shared
from m3vit.rtl.shift_saturate import Range, ShiftSaturate

SHIFT_BITS = SCORE_SHIFT_LIMIT.bit_length()
_DIGITS = SHIFT_BITS // 2


class ScoreLane(Component):
    """One score a cycle.

    Ports: ``acc`` int27 and ``half``; ``shift1`` one cycle later, ``shift0`` after two; ``y``.
    Latency: 4 cycles.
    """

    LATENCY = 1 + _DIGITS + 1

    def __init__(self) -> None:
        self.module_name = "score_lane"
        super().__init__(
            {
                "acc": In(ACCUMULATOR_BITS),
                "half": In(SCORE_SHIFT_LIMIT),
                **{f"shift{digit}": In(2) for digit in range(_DIGITS)},
                "y": Out(SCORE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Adder, shifter."""
        m = Module()
        total = register(ACCUMULATOR_BITS + 1, "total")
        m.d.sync += total.eq(self.acc.as_signed() + self.half)
        m.submodules.shifter = shifter = ShiftSaturate(
            width=len(total), bits=SCORE_BITS, digits=_DIGITS
        )
        m.d.comb += [shifter.x.eq(total), shifter.range.eq(Range.WIDE), self.y.eq(shifter.y)]
        for digit in range(_DIGITS):
            name = f"shift{digit}"
            m.d.comb += getattr(shifter, name).eq(getattr(self, name))
        return m


class Scores(Component):
    """A group's 2 x C scores a cycle.

    Ports: ``acc`` int27 [2][C], ``shift`` 0 to 15, ``y`` int10 [2][C].  Latency: 5 cycles.
    """

    LATENCY = 1 + ScoreLane.LATENCY

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.module_name = f"scores_c{columns}"
        super().__init__(
            {
                "acc": In(2 * columns * ACCUMULATOR_BITS),
                "shift": In(SHIFT_BITS),
                "y": Out(2 * columns * SCORE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Half of the unit is decoded once, the lanes share it."""
        m = Module()
        acc, half = register(len(self.acc), "acc_held"), register(SCORE_SHIFT_LIMIT, "half")
        m.d.sync += [acc.eq(self.acc), half.eq((Const(1, 1 + SCORE_SHIFT_LIMIT) << self.shift)[1:])]
        common: dict[str, Value] = {
            f"shift{digit}": delayed(
                m, self.shift[2 * digit : 2 * digit + 2], 1 + _DIGITS - digit, f"shift{digit}"
            )
            for digit in range(_DIGITS)
        }
        results = []
        for lane, value in enumerate(lanes(acc, ACCUMULATOR_BITS)):
            y = register(SCORE_BITS, f"y{lane}")
            m.submodules[f"lane{lane}"] = shared(ScoreLane(), acc=value, half=half, y=y, **common)
            results.append(y)
        m.d.comb += self.y.eq(Cat(*results))
        return m

    @property
    def model(self) -> str:
        """The module for simulation (see ``library.convert``)."""
        return lane_model(
            name=self.module_name,
            model=f"ScoresModel<{self.columns}>",
            inputs={"acc": len(self.acc), "shift": len(self.shift)},
            output="y",
            output_bits=len(self.y),
        )
