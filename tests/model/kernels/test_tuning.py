"""Tiles by measurement: what is tried, what is taken, what is left out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.model.kernels import both

if not both.has_triton():
    pytest.skip("triton is not installed (extra gpu)", allow_module_level=True)

from triton.runtime.errors import OutOfResources  # noqa: E402

from m3vit.model.kernels.fused.tiles import Blocks, blocks_for  # noqa: E402
from m3vit.model.kernels.fused.tuning import candidates, fastest, tuned  # noqa: E402

A, B, C = (Blocks(16, 64, 64, 4, stages) for stages in (2, 3, 4))


@given(
    st.integers(1, 10**6), st.integers(1, 256), st.integers(32, 4096), st.sampled_from([1, 2, 4])
)
def test_the_rule_comes_first_and_nothing_is_tried_twice(
    rows: int, experts: int, outputs: int, size: int
) -> None:
    choices = candidates(rows, experts, outputs, size)
    assert choices[0] == blocks_for(rows, experts, outputs, size)
    assert len(set(choices)) == len(choices)
    for blocks in choices:
        assert blocks.inputs >= 32, "an int8 product needs 32 terms"
        assert blocks.rows <= max(16, 2 * -(-rows // experts)), "an expert's share fills its tile"


def test_the_fastest_that_fits_is_taken() -> None:
    times = {A: 3.0, C: 2.0}

    def seconds(blocks: Blocks) -> float:
        if blocks not in times:
            raise OutOfResources(300_000, 232_448, "shared memory")
        return times[blocks]

    assert fastest([A, B, C], seconds) == C
    with pytest.raises(OutOfResources):
        fastest([B], seconds)


def test_away_from_a_gpu_nothing_is_timed() -> None:
    def never(blocks: Blocks) -> None:
        raise AssertionError("timed")

    assert tuned("key", [A, B], never, torch.device("cpu")) == A
