import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from m3vit.model.metrics.saliency_iou import SaliencyIou
from m3vit.model.metrics.saliency_masks import THRESHOLDS
from m3vit.model.metrics.saliency_max_f import SaliencyMaxF

# Thresholds themselves are among the values: exceeding is strict.
levels = st.one_of(st.floats(0, 1), st.sampled_from(THRESHOLDS.tolist()))
guesses = arrays(np.float64, (3, 3, 4), elements=levels)
truths = arrays(np.uint8, (3, 3, 4), elements=st.sampled_from([0, 1, 1, 255]))


@settings(max_examples=60)
@given(guess=guesses, truth=truths)
def test_both_match_masks_cut_at_each_threshold(guess: np.ndarray, truth: np.ndarray) -> None:
    iou, max_f = SaliencyIou(), SaliencyMaxF()
    for g, t in zip(guess, truth, strict=True):
        iou.update(g, t)
        max_f.update(g, t)
    best_iou, best_f = 0.0, 0.0
    for threshold in THRESHOLDS:
        ious, precisions, recalls = [], [], []
        for g, t in zip(guess, truth, strict=True):
            mask, salient = (g > threshold) & (t != 255), t == 1
            both, either = (mask & salient).sum(), (mask | salient).sum()
            ious.append(both / either if either else 1.0)
            precisions.append(both / mask.sum() if mask.any() else 0.0)
            recalls.append(both / salient.sum() if salient.any() else 0.0)
        p, r = np.mean(precisions), np.mean(recalls)
        best_iou = max(best_iou, float(np.mean(ious)))
        best_f = max(best_f, 1.3 * p * r / (0.3 * p + r) if p + r else 0.0)
    assert iou.value() == pytest.approx(100 * best_iou, abs=1e-9)
    assert max_f.value() == pytest.approx(100 * best_f, abs=1e-9)


def test_perfect_map_scores_100_and_an_empty_metric_nothing() -> None:
    truth = np.zeros((4, 4), np.uint8)
    truth[1:3] = 1
    for metric in (SaliencyIou(), SaliencyMaxF()):
        assert math.isnan(metric.value())
        metric.update(truth.astype(np.float32), truth)
        assert metric.value() == 100


def test_two_empty_masks_agree() -> None:
    metric = SaliencyIou()
    metric.update(np.zeros((2, 2)), np.zeros((2, 2), np.uint8))
    assert metric.value() == 100


def test_beta_weighs_precision() -> None:
    """Precision 1, recall 1/2: F of beta squared 1 is 2/3, of 0.3 it is 0.65 / 0.8."""
    truth = np.array([[1, 1]], np.uint8)
    guess = np.array([[1.0, 0.0]])
    for beta_squared, expected in ((1.0, 2 / 3), (0.3, 0.65 / 0.8)):
        metric = SaliencyMaxF(beta_squared)
        metric.update(guess, truth)
        assert metric.value() == pytest.approx(100 * expected)
