"""The centre of K: the middle where scores fit, else moved just as far as they need."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.golden.scores import scores
from m3vit.model.quantise.key_centre import HIGHEST, LOWEST, fits, key_centre
from m3vit.model.quantise.score_rows import LARGEST, SAMPLES, ScoreWatch, rows_of


def head(strength: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Q and K [200, 16] with a common direction of Q and one loud key."""
    rng = np.random.default_rng(seed)
    direction = rng.standard_normal(16)
    q = 2 * direction + 0.5 * rng.standard_normal((200, 16))
    k = rng.standard_normal((200, 16))
    k[3] += strength * direction
    return q, k


def centred(q: np.ndarray, k: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.asarray((q @ (k - centre).T / 4).max(1))


def test_scores_that_fit_keep_the_middle() -> None:
    q, k = head(0.5)
    low, high = k.min(0), k.max(0)
    best = (q @ k.T / 4).max(1)
    assert fits(centred(q, k, (low + high) / 2))
    np.testing.assert_array_equal(key_centre(q, best, low, high), (low + high) / 2)


@settings(max_examples=20, deadline=None)
@given(st.floats(2.0, 5.0), st.integers(0, 99))
def test_loud_scores_are_moved_into_the_range(strength: float, seed: int) -> None:
    q, k = head(strength, seed)
    low, high = k.min(0), k.max(0)
    centre = key_centre(q, (q @ k.T / 4).max(1), low, high)
    moved = centred(q, k, centre)
    if not fits(centred(q, k, (low + high) / 2)):
        assert moved.max() <= HIGHEST + 1e-6 and moved.min() >= LOWEST - 1e-6
    growth = np.maximum(high - centre, centre - low).max() / ((high - low) / 2).max()
    assert growth < 2


def test_channels_without_range_keep_the_middle() -> None:
    q = np.full((5, 16), 9.0)
    key = np.full(16, 3.0)
    np.testing.assert_array_equal(key_centre(q, q @ key / 4, key, key), key)


def test_a_moved_centre_saves_the_order_of_loud_keys() -> None:
    """Two keys above 22 nats are one code apart only if the centre moves."""
    q, k = head(7.0)
    k[7] = k[3] * 0.97
    low, high = k.min(0), k.max(0)
    wrong = {}
    for name, centre in (
        ("middle", (low + high) / 2),
        ("moved", key_centre(q, (q @ k.T / 4).max(1), low, high)),
    ):
        s_k = np.maximum(high - centre, centre - low).max() / 127
        s_q = np.log(2) / 16 * 4 * 2.0**-6 / s_k
        codes = [np.clip(np.rint(x / s), -127, 127) for x, s in ((q, s_q), (k - centre, s_k))]
        found = scores(codes[0].astype(np.int8), codes[1].astype(np.int8), 6)
        wrong[name] = float((found[:, 3] == found[:, 7]).mean())
    assert wrong["middle"] > 0.5 > 0.1 > wrong["moved"]


def test_best_scores_and_extremes_are_kept() -> None:
    q, k = (torch.from_numpy(x).double() for x in head(3.0))
    rows = rows_of(torch.cat((q, -q), 1), torch.cat((k, k), 1), 2)
    queries, best = rows.all_rows()
    assert queries.shape == (2, 2 * SAMPLES, 16) and best.shape == (2, 2 * SAMPLES)
    every = (q @ k.T / 4).amax(1)
    assert best[0].max() == pytest.approx(float(every.max()))
    exact = (torch.from_numpy(queries[0]) @ k.T / 4).amax(1)
    np.testing.assert_allclose(best[0], exact.numpy())


def test_rows_join_over_images_and_stay_bounded() -> None:
    watch = ScoreWatch(2)
    generator = torch.Generator().manual_seed(0)
    tops = []
    for _ in range(20):
        q, k = (torch.randn(2, 40, 32, generator=generator) for _ in range(2))
        watch("q", 5, q)
        watch("k", 5, k)
        tops.append(float((q[..., :16] @ k[..., :16].transpose(1, 2) / 4).max()))
    rows = watch.rows[5]
    assert rows.best.shape == (2, 20 * 2 * SAMPLES)
    assert rows.extreme_best.shape == (2, LARGEST)
    assert rows.extreme_best[0, 0] == pytest.approx(max(tops), rel=1e-5)
