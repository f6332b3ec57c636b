"""Small products in LUTs: pipelined additions, where a DSP would be wasted or is not to spare."""

from amaranth.hdl import Cat, Module, Mux, Value

from m3vit.rtl.library import delayed, register

LATENCY = 3
FACTOR_BITS = 6


def times_small(m: Module, value: Value, factor: Value, name: str) -> Value:
    """Signed ``value`` times an unsigned ``factor`` of 6 bits, three cycles later."""
    width = len(value) + FACTOR_BITS
    pairs = []
    for index in range(3):
        low, high = factor[2 * index], factor[2 * index + 1]
        part = register(len(value) + 2, f"{name}_part{index}")
        m.d.sync += part.eq(
            Mux(low, value, 0).as_signed() + Cat(0, Mux(high, value, 0)).as_signed()
        )
        pairs.append(part)
    lower, total = register(width, f"{name}_lower"), register(width, f"{name}_total")
    m.d.sync += lower.eq(pairs[0].as_signed() + (pairs[1].as_signed() << 2))
    late = delayed(m, pairs[2], 1, f"{name}_upper")
    m.d.sync += total.eq(lower.as_signed() + (late.as_signed() << 4))
    return total
