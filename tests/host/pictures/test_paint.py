"""Colours mean what the legends say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.host.pictures.classes import class_names
from m3vit.host.pictures.colours import MAPS, colour_map, palette
from m3vit.host.pictures.paint import check_truth, depth_limits, paint
from m3vit.hw.config import TaskConfig, TaskKind
from m3vit.hw.errors import DatasetError
from m3vit.hw.presets import MODELS, SCENE_TASKS
from m3vit.model.data.scenes import SCENE_CLASSES

SEGMENTATION, DEPTH, NORMALS, EDGES, SALIENCY = SCENE_TASKS


def test_names_of_the_scenes_are_the_renderers() -> None:
    assert class_names(SEGMENTATION) == SCENE_CLASSES


def test_every_preset_has_named_classes() -> None:
    for config in MODELS.values():
        for task in config.tasks:
            names = class_names(task)
            assert len(names) == task.channels
            if task.kind in (TaskKind.SEGMENTATION, TaskKind.PARTS):
                assert len(set(names)) == len(names) and not names[0].isdigit()


def test_unknown_classes_are_numbered() -> None:
    task = TaskConfig(name="new", kind=TaskKind.SEGMENTATION, channels=3)
    assert class_names(task) == ("0", "1", "2")


@given(st.integers(1, 256))
def test_palette_has_distinct_colours(classes: int) -> None:
    colours = palette(classes)
    assert colours.shape == (classes, 3)
    assert len(np.unique(colours, axis=0)) == classes


@pytest.mark.parametrize("name", MAPS)
def test_maps_start_and_end_at_their_anchors(name: str) -> None:
    ends = colour_map(name, np.array([-3.0, 0.0, 1.0, 7.0, np.nan]))
    assert tuple(ends[0]) == tuple(ends[1]) == tuple(ends[4]) == MAPS[name][0]
    assert tuple(ends[2]) == tuple(ends[3]) == MAPS[name][-1]


def test_classes_keep_their_colours_and_ignored_pixels_are_black() -> None:
    colours = paint(SEGMENTATION, np.array([[0, 7, 255]], np.uint8))
    assert np.array_equal(colours[0, :2], palette(8)[[0, 7]])
    assert not colours[0, 2].any()


def test_near_is_bright() -> None:
    near, far = paint(DEPTH, np.array([[1.0, 8.0]], np.float32), (1.0, 8.0))[0]
    assert tuple(near) == MAPS["viridis"][-1] and tuple(far) == MAPS["viridis"][0]


def test_unknown_depth_and_normals_are_black() -> None:
    assert not paint(DEPTH, np.array([[0.0]], np.float32), (1.0, 8.0)).any()
    assert not paint(NORMALS, np.zeros((1, 1, 3), np.float32)).any()


def test_normals_of_the_axes() -> None:
    right_up_viewer = np.eye(3, dtype=np.float32)[None]
    assert (paint(NORMALS, right_up_viewer)[0] == 255 * np.eye(3) + 128 * (1 - np.eye(3))).all()


@pytest.mark.parametrize("task", [EDGES, SALIENCY], ids=lambda task: task.name)
def test_labels_and_probabilities_share_colours(task: TaskConfig) -> None:
    labels = paint(task, np.array([[0, 1, 255]], np.uint8))
    shares = paint(task, np.array([[0.0, 1.0]], np.float32))
    assert np.array_equal(labels[:, :2], shares) and not labels[0, 2].any()


def test_limits_leave_outliers_and_invalid_pixels_out() -> None:
    values = np.concatenate([np.linspace(2, 4, 1000), [500.0], np.zeros(300), [np.nan, -1]])
    low, high = depth_limits(values)
    assert 2 <= low < 2.1 and 3.9 < high <= 4


@pytest.mark.parametrize("values", [np.zeros(9), np.full(9, 3.0), np.full(9, -2.0)])
def test_limits_of_flat_or_empty_maps_are_a_range(values: np.ndarray) -> None:
    low, high = depth_limits(values)
    assert 0 < low < high


def test_truth_of_another_size_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"ground truth of normals is float32 \[4, 5\]"):
        check_truth(NORMALS, np.zeros((4, 5), np.float32), 4, 5)
    check_truth(NORMALS, np.zeros((4, 5, 3), np.float32), 4, 5)
