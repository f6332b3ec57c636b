"""The reference device: exact, stateless between runs, and strict about what it is given."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.devices.table import open_device
from m3vit.host.exactness import compare_tasks
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.errors import ConfigurationError, DeviceError, DigestMismatchError
from m3vit.hw.evaluate import evaluate
from m3vit.hw.formats import Int8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.package import Package, read_package
from m3vit.hw.quantised import QuantisedModel
from tests.host.conftest import Micro
from tests.support.packages import MICRO, MICRO_DENSE, compiled
from tests.support.random_models import random_image, random_model


def _tiles(seed: int) -> Int8:
    return patches(random_image(MICRO, seed), MICRO.patch)


@pytest.fixture
def device(micro: Micro) -> ReferenceDevice:
    opened = ReferenceDevice(machine_preset("mini"))
    opened.load(micro[1])
    return opened


def test_three_images_then_the_first_again(micro: Micro, device: ReferenceDevice) -> None:
    _, package = micro
    order = [(0, 0), (1, 3), (2, 1), (0, 0)]
    runs = [device.run(package, _tiles(seed), task, trace=True) for seed, task in order]
    assert np.array_equal(runs[0].result, runs[3].result)
    assert runs[0].trace is not None and np.array_equal(runs[0].trace, runs[3].trace)
    assert runs[0].saturations == runs[3].saturations
    assert all(runs[0].plans[block].same_as(runs[3].plans[block]) for block in runs[0].plans)
    assert not np.array_equal(runs[0].result, runs[1].result)


def test_equals_the_evaluation_layer_by_layer(micro: Micro, device: ReferenceDevice) -> None:
    model, package = micro
    compared = compare_tasks(package, model, device, random_image(MICRO, 7))
    per_task = MICRO.tokens * MICRO.width + 2 * MICRO.tokens * MICRO.top_k
    assert compared == len(MICRO.tasks) * per_task


def test_a_single_wrong_integer_is_found(micro: Micro, device: ReferenceDevice) -> None:
    model, package = micro
    position = model.position.copy()
    position[3, 5] += 40
    other = replace(model, position=position)
    with pytest.raises(DeviceError, match="result of task segmentation: .* integers differ"):
        compare_tasks(package, other, device, random_image(MICRO, 7))


def test_several_packages_are_resident(
    tmp_path: Path, micro: Micro, device: ReferenceDevice
) -> None:
    first = device.run(micro[1], _tiles(0), 0).result
    model, other = compiled(tmp_path / "other", seed=9)
    device.load(other)
    device.load(other)
    expected = evaluate(model, random_image(MICRO, 0), 0).result
    assert np.array_equal(device.run(other, _tiles(0), 0).result, expected)
    assert np.array_equal(device.run(micro[1], _tiles(0), 0).result, first)


def test_dense_model_reports_no_routing(tmp_path: Path, device: ReferenceDevice) -> None:
    _, package = compiled(tmp_path / "dense", MICRO_DENSE)
    device.load(package)
    assert device.run(package, _tiles(0), 0).plans == {}


def _other_machine(tmp_path: Path, model: QuantisedModel) -> Package:
    compile_model(model, machine_preset("zcu104"), tmp_path / "other")
    return read_package(tmp_path / "other")


def test_package_for_another_machine_is_refused(tmp_path: Path, device: ReferenceDevice) -> None:
    package = _other_machine(tmp_path, random_model(MICRO, 0))
    with pytest.raises(DigestMismatchError, match="compile it with --machine mini"):
        device.load(package)


def test_package_must_be_loaded(tmp_path: Path, device: ReferenceDevice) -> None:
    _, package = compiled(tmp_path / "other", seed=3)
    with pytest.raises(DeviceError, match="not resident"):
        device.run(package, _tiles(0), 0)


def test_operands_are_checked(micro: Micro, device: ReferenceDevice) -> None:
    with pytest.raises(DeviceError, match=r"expected int8 \[8, 768\]"):
        device.run(micro[1], _tiles(0)[1:], 0)
    with pytest.raises(DeviceError, match="task is 5, expected 0 to 4"):
        device.run(micro[1], _tiles(0), 5)


def test_closed_device_says_so(micro: Micro) -> None:
    with open_device("reference", machine_preset("mini")) as device:
        device.load(micro[1])
    with pytest.raises(DeviceError, match="closed"):
        device.run(micro[1], _tiles(0), 0)


def test_unknown_device_lists_those_known() -> None:
    with pytest.raises(ConfigurationError, match="devices are reference"):
        open_device("warp", machine_preset("mini"))
