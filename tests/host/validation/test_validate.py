"""A folder of images: what differs is NOK, what cannot be read is named, nothing stops the rest."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.validation.summary import Summary, render
from m3vit.host.validation.validate import Request, validate
from m3vit.hw.errors import DatasetError, PackageError
from m3vit.hw.quantised_files import save_quantised
from tests.host.conftest import Micro
from tests.host.validation.faulty import FaultyDevice
from tests.support.packages import MICRO
from tests.support.random_models import random_model

TASKS = MICRO.task_names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three small images, one file that is none, one that is not taken for one."""
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (40, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    (tmp_path / "poem.jpg").write_text("a poem")
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


def _validate(micro: Micro, device: ReferenceDevice, request: Request) -> tuple[Summary, list[str]]:
    lines: list[str] = []
    with device:
        return validate(micro[1], device, request, lines.append), lines


def test_a_good_device_is_ok_everywhere(micro: Micro, folder: Path) -> None:
    summary, lines = _validate(micro, ReferenceDevice(micro[1].machine), Request(folder=folder))
    assert (summary.images, summary.nok, len(summary.checks)) == (4, 0, 4 * len(TASKS))
    per_task = MICRO.tokens * (MICRO.width + 2 * MICRO.top_k)
    assert {c.compared for c in summary.checks if c.image != "recorded sample"} == {per_task}
    assert list(summary.unreadable) == ["poem.jpg"]
    assert lines[0] == f"0/4 recorded sample: {', '.join(TASKS)} OK"
    assert "poem.jpg: UNREADABLE" in lines[-1]
    text = render(summary)
    assert f"{4 * len(TASKS)} OK, 0 NOK, 1 unreadable" in text and "ran twice" in text


def test_one_wrong_integer_is_found_and_named(micro: Micro, folder: Path) -> None:
    device = FaultyDevice(micro[1].machine)
    device.wrong = frozenset({2 * len(TASKS) + 1})  # run 0 is the sample's first task
    summary, lines = _validate(micro, device, Request(folder=folder))
    [bad] = [check for check in summary.checks if not check.ok]
    assert (bad.image, bad.task, summary.nok) == ("1.png", TASKS[1], 1)
    assert f"result of task {TASKS[1]}: 1 of" in bad.problem and "[3, 5]" in bad.problem
    assert [line for line in lines if "NOK" in line] == [lines[2]]
    assert f"{TASKS[1]} NOK" in lines[2] and TASKS[0] in lines[2].split(";")[-1]


def test_a_failing_device_does_not_stop_the_others(micro: Micro, folder: Path) -> None:
    device = FaultyDevice(micro[1].machine)
    device.failing = frozenset({0, len(TASKS)})
    summary, _ = _validate(micro, device, Request(folder=folder))
    assert summary.nok == 2 and len(summary.checks) == 4 * len(TASKS)
    assert [c.problem[:9] for c in summary.checks if not c.ok] == ["status is"] * 2


def test_the_definition_can_be_golden(micro: Micro, folder: Path) -> None:
    model, package = micro
    quantised = folder / "quantised.npz"
    save_quantised(quantised, model)
    device = ReferenceDevice(package.machine)
    summary, _ = _validate(micro, device, Request(folder=folder, quantised=quantised))
    assert summary.nok == 0 and summary.golden == "the evaluation layer by layer"
    logits = {task.name: task.channels for task in MICRO.tasks}
    assert all(check.compared > logits[check.task] for check in summary.checks)
    assert "ran twice" not in render(summary)


def test_another_network_is_no_golden(micro: Micro, folder: Path) -> None:
    quantised = folder / "other.npz"
    save_quantised(quantised, random_model(MICRO.dense_twin(), 0))
    device = ReferenceDevice(micro[1].machine)
    with pytest.raises(PackageError, match="micro-dense of another configuration"):
        _validate(micro, device, Request(folder=folder, quantised=quantised))


def test_other_weights_are_nok(micro: Micro, folder: Path) -> None:
    """A device that is right about the package is wrong about the model: the package is stale."""
    quantised = folder / "other.npz"
    save_quantised(quantised, random_model(MICRO, 7))
    device = ReferenceDevice(micro[1].machine)
    summary, _ = _validate(micro, device, Request(folder=folder, quantised=quantised))
    assert summary.nok == 3 * len(TASKS)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "holds no image"),
        (["a.png", "b.jpg"], "none of the 2 images .* can be read; the first: .*a.png is no image"),
        (["a.png", "a.jpg"], "share the name a"),
    ],
)
def test_a_folder_without_images_is_refused(
    names: list[str], text: str, micro: Micro, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).write_text("a poem")
    with pytest.raises(DatasetError, match=text):
        _validate(micro, ReferenceDevice(micro[1].machine), Request(folder=tmp_path))
