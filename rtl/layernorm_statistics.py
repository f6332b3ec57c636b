"""Sums of a token, and the reciprocal root of its variance (golden ``layernorm``)."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.dsp48e2 import A_BITS, B_BITS, C_BITS, PRODUCT, W_ZERO, Z_ZERO, dsp48e2, extended
from m3vit.rtl.library import delayed, lanes, register
from m3vit.rtl.multiply import LATENCY as SMALL_LATENCY
from m3vit.rtl.multiply import times_small
from m3vit.rtl.reciprocal import ReciprocalRoot

VALUE_BITS = 16
EPSILON_BITS = 32
UNIT = 16
"""The width comes in units of 16 channels."""

_DSP = 3
_SQUARE_BITS = 32
"""(-2^15)^2 = 2^30, signed."""

_LOW_BITS = 17


class LayerNormStatistics(Component):
    """S1 = sum x, V = C * sum x^2 - S1^2 + eps, 1/sqrt(V) = y * 2^-(16 + half).

    Ports: ``x`` int16 [N] with ``first`` word of a token; ``units`` = C/16, ``epsilon``.
    ``total`` = S1, ``y``, ``half`` appear ``LATENCY`` cycles after the token's last word.
    The words of a token need not be adjacent.
    """

    def __init__(self, *, size: int, max_width: int) -> None:
        self.size = size
        self.levels = (size - 1).bit_length()
        channel_bits = max_width.bit_length()
        self.total_bits = VALUE_BITS + channel_bits
        self.square_bits = _SQUARE_BITS + channel_bits
        self.variance_bits = _SQUARE_BITS + 2 * channel_bits
        self.root = ReciprocalRoot(self.variance_bits)
        self.sums_latency = _DSP + self.levels + 1
        self.variance_latency = _DSP + 3
        self.LATENCY = self.sums_latency + self.variance_latency + self.root.LATENCY
        super().__init__(
            {
                "x": In(size * VALUE_BITS),
                "first": In(1),
                "units": In(6),
                "epsilon": In(EPSILON_BITS),
                "total": Out(self.total_bits),
                "y": Out(16),
                "half": Out(self.root.half_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two trees with accumulators, then the variance."""
        m = Module()
        values = lanes(self.x, VALUE_BITS)
        squares = [self._square(m, lane, x) for lane, x in enumerate(values)]
        late = [delayed(m, x, _DSP, f"x{lane}") for lane, x in enumerate(values)]
        first = delayed(m, self.first, _DSP + self.levels, "first")
        total = self._running(m, late, first, self.total_bits, "total")
        square = self._running(m, squares, first, self.square_bits, "square")
        m.submodules.root = root = self.root
        m.d.comb += [
            root.x.eq(self._variance(m, total, square)),
            self.y.eq(root.y),
            self.half.eq(root.half),
            self.total.eq(delayed(m, total, self.variance_latency + root.LATENCY, "total_late")),
        ]
        return m

    def _square(self, m: Module, lane: int, x: Value) -> Value:
        p = Signal(C_BITS, name=f"square{lane}")
        m.submodules[f"square{lane}"] = dsp48e2(
            opmode=W_ZERO + Z_ZERO + PRODUCT,
            parameters={"DREG": 0, "ADREG": 0, "CREG": 0},
            outputs={"P": p},
            A=extended(x, A_BITS),
            B=extended(x, B_BITS),
        )
        return p[:_SQUARE_BITS]

    def _running(self, m: Module, terms: list[Value], first: Value, width: int, name: str) -> Value:
        level = 0
        while len(terms) > 1:
            sums = []
            for index, (left, right) in enumerate(zip(terms[::2], terms[1::2], strict=True)):
                held = register(len(left) + 1, f"{name}{level}_{index}")
                m.d.sync += held.eq(left.as_signed() + right.as_signed())
                sums.append(held)
            terms, level = sums, level + 1
        result = register(width, f"{name}_sum")
        m.d.sync += result.eq(terms[0].as_signed() + Mux(first, 0, result).as_signed())
        return result

    def _variance(self, m: Module, total: Value, square: Value) -> Value:
        width = self.variance_bits
        scaled = Cat(Const(0, 4), times_small(m, square, self.units, "scaled"))
        scaled = delayed(m, scaled, _DSP + 1 - SMALL_LATENCY, "scaled_late")
        low, high = total[:_LOW_BITS], total[_LOW_BITS:]
        factors = [Cat(low, Const(0, 1)), extended(high, B_BITS)]
        parts = []
        for index, factor in enumerate(factors):
            p = Signal(C_BITS, name=f"part{index}")
            m.submodules[f"part{index}"] = dsp48e2(
                opmode=W_ZERO + Z_ZERO + PRODUCT,
                parameters={"DREG": 0, "ADREG": 0, "CREG": 0},
                outputs={"P": p},
                A=extended(total, A_BITS),
                B=factor,
            )
            parts.append(p)
        mean_square, spread = register(width, "mean_square"), register(width, "spread")
        variance = register(width, "variance")
        m.d.sync += [
            mean_square.eq(parts[0].as_signed() + (parts[1].as_signed() << _LOW_BITS)),
            spread.eq(scaled.as_signed() - mean_square.as_signed()),
            variance.eq(spread + self.epsilon),
        ]
        return variance
