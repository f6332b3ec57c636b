from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.layout.blocks import FIRST_PAIRS, block_sizes, spans


@given(st.integers(1, 2000), st.integers(1, 512), st.booleans())
def test_blocks_cover_the_pairs_and_keep_the_limit(pairs: int, limit: int, ramp: bool) -> None:
    sizes = block_sizes(pairs, limit, FIRST_PAIRS if ramp else None)
    assert sum(sizes) == pairs
    assert 1 <= min(sizes) and max(sizes) <= limit
    assert len(sizes) < 2 or 2 * sizes[-1] + 1 >= sizes[-2]


@given(st.integers(1, 4000), st.integers(1, 512), st.booleans())
def test_spans_are_the_blocks_one_behind_the_other(tokens: int, limit: int, ramp: bool) -> None:
    blocks = spans(tokens, limit, ramp)
    assert blocks[0][0] == 0
    assert blocks[-1][1] == -(-tokens // 2)
    assert all(before[1] == after[0] for before, after in zip(blocks, blocks[1:], strict=False))


def test_small_blocks_come_first_where_they_are_wanted() -> None:
    assert block_sizes(65, 32, FIRST_PAIRS) == [8, 16, 21, 20]
    assert block_sizes(65, 64) == [33, 32]
    assert spans(129, 64, ramp=True)[:2] == [(0, 8), (8, 24)]
