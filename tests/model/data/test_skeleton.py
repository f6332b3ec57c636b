import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label

from m3vit.model.data.skeleton import thin

EIGHT = np.ones((3, 3), int)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_thinning_keeps_connected_components_and_leaves_no_blocks(seed: int) -> None:
    noise = np.random.default_rng(seed).random((20, 24))
    mask = gaussian_filter(noise, 1.5) > 0.51
    lines = thin(mask)
    assert not (lines & ~mask).any()
    assert label(lines, EIGHT)[1] == label(mask, EIGHT)[1]
    assert (thin(lines) == lines).all()
    square = lines[1:, 1:] & lines[:-1, 1:] & lines[1:, :-1] & lines[:-1, :-1]
    assert square.sum() <= 2  # a two by two block can be a skeleton of its own
