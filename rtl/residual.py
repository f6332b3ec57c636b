"""Saturating addition into residual words, with a count of saturations (golden ``residual``)."""

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.formats import RESIDUAL_BITS
from m3vit.rtl.library import lanes, register


class ResidualAdd(Component):
    """y = sat18(old + term) for ``size`` channels, and how many of them saturated.

    Ports: ``old``, ``term`` int18 [size], ``enable``; ``y`` int18 [size]; ``saturated`` a count,
    zero where ``enable`` was not set, one cycle after ``y``.  Latency: 2 cycles.
    """

    LATENCY = 2

    def __init__(self, size: int) -> None:
        self.size = size
        self.module_name = f"residual_add_{size}"
        super().__init__(
            {
                "old": In(size * RESIDUAL_BITS),
                "term": In(size * RESIDUAL_BITS),
                "enable": In(1),
                "y": Out(size * RESIDUAL_BITS),
                "saturated": Out(size.bit_length()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Add, clamp, count."""
        m = Module()
        enable, flags = register(1, "enable_1"), register(self.size, "flags")
        m.d.sync += enable.eq(self.enable)
        over, results = [], []
        for lane, (old, term) in enumerate(
            zip(lanes(self.old, RESIDUAL_BITS), lanes(self.term, RESIDUAL_BITS), strict=True)
        ):
            total, y = register(RESIDUAL_BITS + 1, f"total{lane}"), register(18, f"y{lane}")
            m.d.sync += [
                total.eq(old.as_signed() + term.as_signed()),
                y.eq(Mux(_spills(total), _limit(total), total[:RESIDUAL_BITS])),
            ]
            over.append(_spills(total) & enable)
            results.append(y)
        count = register(self.size.bit_length(), "count")
        m.d.sync += [flags.eq(Cat(*over)), count.eq(sum(flags[1:], flags[0]))]
        m.d.comb += [self.y.eq(Cat(*results)), self.saturated.eq(count)]
        return m


def _spills(total: Value) -> Value:
    return total[-1] ^ total[-2]


def _limit(total: Value) -> Value:
    return Cat((~total[-1]).replicate(RESIDUAL_BITS - 1), total[-1])
