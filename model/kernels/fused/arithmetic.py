"""Integer arithmetic inside kernels: the contract's rounding, logarithm and table indices."""

import triton
import triton.language as tl


@triton.jit
def rshift(values, count):
    """(values + 2^(count-1)) >> count on int64, half up; ``count`` 0 is the identity."""
    wide = values.to(tl.int64)
    amount = tl.zeros_like(wide) + count
    return (wide + (((tl.zeros_like(wide) + 1) << amount) >> 1)) >> amount


@triton.jit
def floor_log2(values):
    """floor(log2) of positive int64 values, by halving the remaining width six times."""
    rest = values.to(tl.int64)
    leading = tl.zeros_like(rest)
    for step in tl.static_range(6):
        width = 32 >> step
        large = (rest >> width) > 0
        leading += tl.where(large, width, 0)
        rest = tl.where(large, rest >> width, rest)
    return leading


@triton.jit
def ten_bits(values, leading):
    """The ten bits below the leading one, zeros where a value has fewer."""
    down = values.to(tl.int64) >> tl.maximum(leading - 10, 0)
    return (down << tl.maximum(10 - leading, 0)) & 1023


@triton.jit
def saturate(values, lowest, highest):
    """Values limited to [lowest, highest]."""
    return tl.minimum(tl.maximum(values, lowest), highest)
