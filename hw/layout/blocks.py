"""Token blocks: how the loop nests cut the token pairs of an operator."""

from m3vit.hw.machine import CASCADE

FIRST_PAIRS = CASCADE
"""Pairs of the first block where small ones come first: as short as a pass can be."""

Block = tuple[int, int]
"""First token pair of a block, and the one behind its last."""


def block_sizes(pairs: int, limit: int, first: int | None = None) -> list[int]:
    """The blocks of ``pairs`` pairs, as the hardware cuts them; from ``first`` on the limit
    doubles with every block until it is ``limit``.

    A block has ``limit`` pairs, or half of what is left (rounded up) when less than two blocks
    are: the last two are about equal and no block is tiny.
    """
    sizes, now = [], min(limit, first or limit)
    while pairs:
        size = pairs if pairs <= now else (pairs + 1) // 2 if pairs < 2 * now else now
        sizes.append(size)
        pairs, now = pairs - size, min(limit, 2 * now)
    return sizes


def spans(tokens: int, limit: int, ramp: bool = False) -> list[Block]:
    """The blocks of ``tokens`` tokens; ``ramp``: small ones first."""
    blocks, start = [], 0
    for size in block_sizes(-(-tokens // 2), limit, FIRST_PAIRS if ramp else None):
        blocks.append((start, start + size))
        start += size
    return blocks
