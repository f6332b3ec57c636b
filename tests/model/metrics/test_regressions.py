"""Depth RMSE, normals' mean angle and delta m."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.errors import ConfigurationError, DatasetError
from m3vit.model.metrics.depth_rmse import DepthRmse
from m3vit.model.metrics.multi_task_delta import multi_task_delta
from m3vit.model.metrics.normals_angle import NormalsAngle


def test_depth_error_is_over_all_valid_pixels_together() -> None:
    metric = DepthRmse()
    assert math.isnan(metric.value())
    metric.update(np.array([[1.0, 9.0]]), np.array([[3.0, 0.0]], np.float32))  # 0 is invalid
    metric.update(np.array([[2.0, 2.0]]), np.array([[2.0, 2.0]], np.float32))
    assert metric.value() == pytest.approx(math.sqrt(4 / 3))


@given(offset=st.floats(-5, 5))
def test_constant_offset_is_the_depth_error(offset: float) -> None:
    target = np.full((4, 5), 6.0, np.float32)
    metric = DepthRmse()
    metric.update(target + offset, target)
    assert metric.value() == pytest.approx(abs(offset), abs=1e-6)


@given(degrees=st.floats(0, 180), scale=st.floats(0.01, 100))
def test_turned_normals_have_that_angle(degrees: float, scale: float) -> None:
    target = np.zeros((3, 4, 3), np.float32)
    target[:2, :, 2] = 1  # the last row is invalid
    turn = math.radians(degrees)
    guess = np.full((3, 4, 3), scale * np.array([math.sin(turn), 0, math.cos(turn)]))
    metric = NormalsAngle()
    metric.update(guess, target)
    assert metric.value() == pytest.approx(degrees, abs=1e-6)


def test_zero_normal_counts_as_a_right_angle() -> None:
    target = np.zeros((1, 2, 3), np.float32)
    target[0, 0] = (0, 0, 1)
    metric = NormalsAngle()
    assert math.isnan(metric.value())
    metric.update(np.zeros((1, 2, 3)), target)
    assert metric.value() == 90


def test_non_finite_predictions_are_refused() -> None:
    with pytest.raises(DatasetError, match="non-finite"):
        DepthRmse().update(np.array([[np.nan]]), np.array([[1.0]]))
    with pytest.raises(DatasetError, match="non-finite"):
        NormalsAngle().update(np.full((1, 1, 3), np.inf), np.ones((1, 1, 3)))


def test_delta_m_reproduces_rows_of_the_m3vit_tables() -> None:
    """Tables 1 to 3 of arXiv 2210.14793: multi-gate against the single-task networks."""
    pascal = multi_task_delta(
        {"seg": 72.8, "nrm": 14.5, "parts": 62.1, "sal": 66.3, "edge": 71.7},
        {"seg": 66.2, "nrm": 13.9, "parts": 59.9, "sal": 66.3, "edge": 68.8},
        {"nrm"},
    )
    assert round(pascal, 2) == 2.71
    nyud = multi_task_delta({"seg": 45.6, "depth": 0.589}, {"seg": 43.9, "depth": 0.585}, ["depth"])
    assert round(nyud, 2) == 1.59


def test_delta_m_needs_the_same_tasks_and_finite_references() -> None:
    for values, reference, lower in (
        ({"a": 1.0}, {"b": 1.0}, []),
        ({}, {}, []),
        ({"a": 1.0}, {"a": 0.0}, []),
        ({"a": 1.0}, {"a": math.nan}, []),
        ({"a": 1.0}, {"a": 1.0}, ["b"]),
    ):
        with pytest.raises(ConfigurationError, match="delta m"):
            multi_task_delta(values, reference, lower)
