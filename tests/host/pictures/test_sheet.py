"""Pictures hold the prediction pixel by pixel, and a legend that fits."""

import io

import numpy as np
import pytest
from PIL import Image

from m3vit.host.pictures.legend import legend
from m3vit.host.pictures.paint import paint
from m3vit.host.pictures.sheet import MARGIN, TILE, Shown, png, sheet, task_picture
from m3vit.hw.config import TaskConfig, TaskKind
from m3vit.hw.presets import SCENE_TASKS, model_preset
from m3vit.model.data.scenes import render_scene


def _shown(truth: bool) -> list[Shown]:
    targets = render_scene(4, 64, 96).targets
    return [
        Shown(
            task=task,
            values=targets[task.kind.value],
            truth=targets[task.kind.value] if truth else None,
        )
        for task in SCENE_TASKS
    ]


@pytest.mark.parametrize("shown", _shown(False), ids=lambda shown: shown.task.name)
def test_task_picture_is_the_prediction_above_its_legend(shown: Shown) -> None:
    picture = np.asarray(task_picture(shown))
    assert np.array_equal(picture[:64, :96], paint(shown.task, shown.values, shown.limits))
    below = picture[68:]
    assert below.shape[0] > 10 and len(np.unique(below.reshape(-1, 3), axis=0)) > 3


def test_sheet_has_three_columns_and_two_rows() -> None:
    photo = render_scene(4, 64, 96).image
    plain, both = (sheet(photo, _shown(truth), "scene") for truth in (False, True))
    assert plain.width == both.width == 3 * (TILE + MARGIN) + MARGIN
    assert both.height - plain.height >= 2 * TILE * 64 // 96


def test_sheet_of_one_task_is_narrow() -> None:
    photo = render_scene(4, 64, 96).image
    assert sheet(photo, _shown(False)[:1], "scene").width == 2 * (TILE + MARGIN) + MARGIN


def test_photograph_is_on_the_sheet() -> None:
    photo = np.full((32, TILE, 3), (10, 200, 90), np.uint8)
    whole = np.asarray(sheet(photo, [], "green"))
    assert (whole == (10, 200, 90)).all(axis=-1).sum() > 0.8 * photo.shape[0] * photo.shape[1]


def test_legend_wraps_many_classes() -> None:
    task = model_preset("small-nyud").tasks[0]
    values = np.arange(40, dtype=np.uint8).reshape(5, 8)
    tall = legend(task, values, (1.0, 2.0), 200)
    flat = legend(task, values[:1, :1], (1.0, 2.0), 200)
    assert tall.width == flat.width == 200
    assert tall.height > 5 * flat.height


def test_legend_lists_only_what_is_there() -> None:
    task = SCENE_TASKS[0]
    one = np.asarray(legend(task, np.zeros((4, 4), np.uint8), (1.0, 2.0), 384))
    two = np.asarray(legend(task, np.array([[0, 2]], np.uint8), (1.0, 2.0), 384))
    red = (226, 74, 62)
    assert not (one == red).all(axis=-1).any() and (two == red).all(axis=-1).any()


def test_ignored_truth_does_not_break_the_legend() -> None:
    task = TaskConfig(name="s", kind=TaskKind.SEGMENTATION, channels=2)
    legend(task, np.array([[0, 255]], np.uint8), (1.0, 2.0), 100)


def test_one_pixel_can_be_shown() -> None:
    task = SCENE_TASKS[1]
    one = Shown(task=task, values=np.ones((1, 1), np.float32))
    sheet(np.zeros((1, 1, 3), np.uint8), [one], "dot")
    with Image.open(io.BytesIO(png(task_picture(one)))) as picture:
        assert picture.format == "PNG"
