import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from m3vit.hw.errors import DatasetError
from m3vit.model.metrics.mean_iou import MeanIou
from m3vit.model.metrics.parts_iou import PartsIou

labels = st.sampled_from([0, 1, 2, 3, 255])
maps = arrays(np.uint8, (2, 5, 7), elements=labels)


@given(truth=maps, guess=arrays(np.uint8, (2, 5, 7), elements=st.integers(0, 3)))
def test_matches_sets_of_pixels(truth: np.ndarray, guess: np.ndarray) -> None:
    metric = MeanIou(4)
    for g, t in zip(guess, truth, strict=True):
        metric.update(g, t)
    valid = truth != 255
    ious = []
    for c in range(4):
        union = int(((truth == c) | (guess == c))[valid].sum())
        if union:
            ious.append(((truth == c) & (guess == c)).sum() / union)
    if ious:
        assert metric.value() == pytest.approx(100 * np.mean(ious), abs=1e-9)
    else:
        assert math.isnan(metric.value())


def test_counts_run_over_the_data_set_not_over_images() -> None:
    metric = MeanIou(2)
    metric.update(np.array([[0, 0, 0, 0]]), np.array([[0, 0, 0, 1]]))
    metric.update(np.array([[1, 1, 1, 1]]), np.array([[1, 1, 1, 1]]))
    assert metric.value() == pytest.approx(100 * (3 / 4 + 4 / 5) / 2)


def test_absent_class_is_left_out_or_zero() -> None:
    for zero, expected in ((False, 100.0), (True, 50.0)):
        metric = MeanIou(4, absent_as_zero=zero)
        metric.update(np.array([[0, 3]]), np.array([[0, 3]]))
        assert metric.value() == pytest.approx(expected)


def test_class_out_of_range_and_other_shape_are_named() -> None:
    with pytest.raises(DatasetError, match="prediction holds classes 0 to 4"):
        MeanIou(4).update(np.array([[0, 4]]), np.array([[0, 1]]))
    with pytest.raises(DatasetError, match="target holds classes 0 to 9"):
        MeanIou(4).update(np.array([[0, 1]]), np.array([[0, 9]]))
    with pytest.raises(DatasetError, match="resize the prediction"):
        MeanIou(4).update(np.zeros((2, 2)), np.zeros((2, 3)))


def test_images_without_parts_are_skipped() -> None:
    metric = PartsIou(3)
    metric.update(np.array([[1, 2]]), np.array([[0, 255]]))
    assert math.isnan(metric.value())
    metric.update(np.array([[1, 0]]), np.array([[1, 0]]))
    assert metric.value() == pytest.approx(100)
