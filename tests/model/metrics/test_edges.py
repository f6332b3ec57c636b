import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from m3vit.model.data.scenes import render_scene
from m3vit.model.metrics.edge_matching import ranked_matches
from m3vit.model.metrics.edge_ods import EdgeOdsF
from m3vit.model.metrics.edge_thinning import ridges


def _score(prediction: np.ndarray, target: np.ndarray) -> float:
    metric = EdgeOdsF()
    metric.update(prediction, target)
    return metric.value()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), radius=st.sampled_from([1.0, 1.5, 2.2, 3.0]))
def test_every_prefix_is_a_maximum_matching(seed: int, radius: float) -> None:
    random = np.random.default_rng(seed)
    truth = random.random((9, 11)) < 0.25
    rows, columns = np.nonzero(random.random((9, 11)) < 0.35)
    order = random.permutation(rows.size)
    rows, columns = rows[order], columns[order]
    found = ranked_matches(rows, columns, truth, radius)
    y, x = np.nonzero(truth)
    near = np.hypot(rows[:, None] - y, columns[:, None] - x) <= radius
    for n in range(1, rows.size + 1):
        exact = maximum_bipartite_matching(csr_matrix(near[:n]), perm_type="column")
        assert found[:n].sum() == (exact >= 0).sum()


def test_matching_is_one_to_one() -> None:
    truth = np.zeros((5, 5), bool)
    truth[2, 2] = True
    rows, columns = np.array([2, 2, 2]), np.array([1, 2, 3])
    assert ranked_matches(rows, columns, truth, 1.0).tolist() == [True, False, False]
    assert not ranked_matches(rows, columns, np.zeros((5, 5), bool), 1.0).any()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_band_has_one_ridge_in_any_direction(width: int) -> None:
    y, x = np.mgrid[:60, :60] - 29.6
    for angle in np.linspace(0, np.pi, 13):
        across = x * np.cos(angle) + y * np.sin(angle)
        along = y * np.cos(angle) - x * np.sin(angle)
        lines = ridges((np.abs(across) <= width / 2).astype(np.float64)) & (np.abs(along) < 20)
        assert np.abs(across[lines]).max() <= 1.5
        # One pixel a column or row: between 40 / sqrt 2 and 40 pixels on a length of 40.
        assert 26 <= lines.sum() <= 43


def test_perfect_blurred_and_shifted_edges() -> None:
    targets = [render_scene(seed).targets["edges"] for seed in range(4)]
    for change, low, high in (
        (lambda e: e, 99, 100),
        (lambda e: gaussian_filter(e, 1.0), 95, 100),
        (lambda e: 0.1 * e, 99, 100),  # the scale is free
        (lambda e: np.roll(e, 2, 1), 97, 100),  # 0.0075 of the diagonal is 2.1 pixels
        (lambda e: np.roll(e, 6, 1), 10, 75),
    ):
        metric = EdgeOdsF()
        for target in targets:
            metric.update(change(target.astype(np.float64)), target)
        assert low <= metric.value() <= high


def test_straight_line_has_known_counts() -> None:
    """30 of 40 true pixels predicted, and a line of 10 that is false: F = 2 x 30 / (40 + 40)."""
    target, guess = np.zeros((64, 64), np.uint8), np.zeros((64, 64))
    target[20, 10:50] = 1
    guess[20, 10:40] = 0.9
    guess[50, 10:20] = 0.9
    metric = EdgeOdsF(tolerance=0.5 / math.hypot(64, 64))  # the very pixel
    metric.update(guess, target)
    assert metric.value() == pytest.approx(100 * 60 / 80, abs=3)
    guess[50, 10:20] = 0.3  # a higher threshold leaves the false line out
    assert _score(guess, target) == pytest.approx(100 * 60 / 70, abs=5)


def test_nothing_flat_and_noise() -> None:
    target = render_scene(1).targets["edges"]
    assert _score(np.zeros(target.shape), target) == 0
    assert _score(np.full(target.shape, 0.7), target) == 0
    assert _score(np.random.default_rng(0).random(target.shape), target) < 40
    assert math.isnan(EdgeOdsF().value())
    assert _score(np.zeros((16, 16)), np.zeros((16, 16), np.uint8)) == 0


def test_ignored_pixels_do_not_count() -> None:
    target = np.zeros((64, 64), np.uint8)
    target[20, 10:50] = 1
    guess = target.astype(np.float64)
    guess[40, 10:50] = 1
    half = _score(guess, target)
    target[36:45] = 255
    assert half < 70 < 95 < _score(guess, target)
