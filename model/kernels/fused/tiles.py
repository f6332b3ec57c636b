"""How rows of experts are cut into tiles without the host knowing the counts."""

from typing import NamedTuple

import triton
import triton.language as tl


class Blocks(NamedTuple):
    """Tile sizes of a product: rows, outputs, inputs of one step; warps and pipeline stages."""

    rows: int
    outputs: int
    inputs: int
    warps: int
    stages: int


def power_of_two(size: int, least: int = 16) -> int:
    """The smallest power of two that holds ``size`` and is at least ``least``."""
    return max(least, 1 << (size - 1).bit_length())


def blocks_for(rows: int, experts: int, outputs: int, element_bytes: int) -> Blocks:
    """Tiles for ``rows`` that fall on ``experts``: no taller than an expert's expected share."""
    share = -(-rows // experts)
    height = min(128, power_of_two(share))
    width = min(128 if height >= 64 else 64, power_of_two(outputs, 32))
    large = height * width >= 128 * 128
    depth = max(32, 128 // element_bytes)
    return Blocks(height, width, depth, 8 if large else 4, 3)


def tile_bound(rows: int, experts: int, height: int) -> int:
    """Most tiles of ``height`` rows that any distribution of ``rows`` over experts can need.

    sum ceil(c_e / m) <= (rows + live * (m - 1)) / m with at most min(experts, rows) live experts.
    """
    live = min(experts, rows)
    return (rows + live * (height - 1)) // height


@triton.jit
def locate(counts, tile, experts, BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr):
    """Expert, first row and end of its rows for tile number ``tile``; start >= stop: no work."""
    number = tl.arange(0, BLOCK_E)
    count = tl.load(counts + number, mask=number < experts, other=0)
    tiles = (count + BLOCK_M - 1) // BLOCK_M
    expert = tl.sum((tl.cumsum(tiles, 0) <= tile).to(tl.int32), 0)
    before = number < expert
    first = tl.sum(tl.where(before, count, 0), 0)
    stop = first + tl.sum(tl.where(number == expert, count, 0), 0)
    start = first + (tile - tl.sum(tl.where(before, tiles, 0), 0)) * BLOCK_M
    return expert, start, stop
