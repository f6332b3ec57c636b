"""Small products in LUTs: pipelined additions, where a DSP would be wasted or is not to spare."""

from amaranth.hdl import Cat, Const, Module, Mux, Value

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


def product_latency(factor: int) -> int:
    """Cycles of :func:`product` for a factor of that many bits."""
    return 1 + ((factor + 1) // 2 - 1).bit_length()


def product(m: Module, value: Value, factor: Value, name: str, latency: int) -> Value:
    """Unsigned ``value`` times ``factor``, ``latency`` cycles later (`product_latency` or more)."""
    width = len(value) + len(factor)
    terms: list[Value] = []
    for at in range(0, len(factor), 2):
        part = register(len(value) + 2, f"{name}_part{at}")
        high = factor[at + 1] if at + 1 < len(factor) else Const(0, 1)
        m.d.sync += part.eq(Mux(factor[at], value, 0) + Cat(Const(0, 1), Mux(high, value, 0)))
        terms.append(Cat(Const(0, at), part))
    stage = 1
    while len(terms) > 1:
        sums: list[Value] = []
        for at in range(0, len(terms), 2):
            held = register(width, f"{name}_sum{stage}_{at}")
            m.d.sync += held.eq(sum(terms[at + 1 : at + 2], terms[at]))
            sums.append(held)
        terms, stage = sums, stage + 1
    return delayed(m, terms[0], latency - stage, f"{name}_late")
