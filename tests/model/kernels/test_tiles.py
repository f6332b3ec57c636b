"""No distribution of rows over experts needs more tiles than are launched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.kernels import both

if not both.has_triton():
    pytest.skip("triton is not installed (extra gpu)", allow_module_level=True)

from m3vit.model.kernels.fused.tiles import blocks_for, power_of_two, tile_bound  # noqa: E402


@given(st.lists(st.integers(0, 200), min_size=1, max_size=40), st.sampled_from([16, 32, 64, 128]))
def test_bound_holds_for_any_distribution(counts: list[int], height: int) -> None:
    needed = sum(-(-count // height) for count in counts)
    assert needed <= tile_bound(sum(counts), len(counts), height)


def test_bound_is_reached_by_the_worst_distribution() -> None:
    assert tile_bound(17 * 4, 4, 16) == 8


@given(st.integers(1, 10**6), st.integers(1, 256), st.integers(1, 4096), st.sampled_from([1, 2, 4]))
def test_tiles_are_powers_of_two_that_the_products_take(
    rows: int, experts: int, outputs: int, size: int
) -> None:
    blocks = blocks_for(rows, experts, outputs, size)
    for side in blocks[:3]:
        assert side & (side - 1) == 0
    assert 16 <= blocks.rows <= 128 and 32 <= blocks.inputs <= 128
    assert blocks.warps == (8 if blocks.rows * blocks.outputs == 128 * 128 else 4)


@given(st.integers(1, 10**6))
def test_power_of_two_holds_the_size(size: int) -> None:
    power = power_of_two(size)
    assert power >= size and power & (power - 1) == 0 and (power == 16 or power < 2 * size)
