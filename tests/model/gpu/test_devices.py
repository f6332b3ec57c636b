"""A GPU as a device: what a CPU can show of it runs on torch's CPU device."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from m3vit.host import cli
from m3vit.host.devices.device import DeviceRun
from m3vit.host.devices.reference import ReferenceDevice
from m3vit.host.devices.table import open_device
from m3vit.host.runtime import Runtime
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.errors import CheckpointError, ConfigurationError, DeviceError
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import machine_preset
from m3vit.hw.package import Package, read_package
from m3vit.model.checkpoint import save_checkpoint
from m3vit.model.gpu.devices import GpuDevice, GpuRun
from m3vit.model.gpu.passes import float_pass, images_of, prepare_integers
from m3vit.model.network import M3ViT
from tests.support.packages import MICRO, compiled
from tests.support.random_models import random_image, random_model

CPU = torch.device("cpu")
MINI = machine_preset("mini")
needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return compiled(tmp_path_factory.mktemp("gpu") / "package", seed=1)[1]


def test_integers_equal_the_reference_device(package: Package) -> None:
    image = random_image(MICRO, 3)
    with (
        ReferenceDevice(MINI) as reference,
        GpuDevice("cuda-int8", MINI, CPU, prepare_integers) as gpu,
    ):
        runtimes = [Runtime(package, device) for device in (reference, gpu)]
        for task in ("depth", "segmentation", "depth"):
            expected, got = (each.run(each.prepare(image), task) for each in runtimes)
            assert np.array_equal(got.logits, expected.logits)
            assert np.array_equal(got.run.result, expected.run.result)
            assert got.run.saturations == expected.run.saturations
            assert got.run.plans.keys() == expected.run.plans.keys()
            for block, plan in got.run.plans.items():
                assert plan.same_as(expected.run.plans[block])
            assert set(got.run.phases) == {"in", "run", "out"}


def test_its_runs_have_the_fields_of_every_device() -> None:
    assert [field.name for field in fields(GpuRun)] == [field.name for field in fields(DeviceRun)]


def test_bad_operands_are_named(package: Package) -> None:
    tiles = np.zeros((MICRO.tokens - 1, MICRO.patch_elements), np.int8)
    with GpuDevice("cuda-int8", MINI, CPU, prepare_integers) as gpu:
        with pytest.raises(DeviceError, match="is not resident on cuda-int8"):
            gpu.run(package, tiles, 0)
        gpu.load(package)
        with pytest.raises(DeviceError, match="expected int8 \\[8, 768\\]"):
            gpu.run(package, tiles[1:], 0)
        with pytest.raises(DeviceError, match="task is 5, expected 0 to 4"):
            gpu.run(package, tiles, 5)
        with pytest.raises(DeviceError, match="records no layer trace"):
            gpu.run(package, tiles, 0, trace=True)


def test_patches_become_the_image_again(package: Package) -> None:
    image = random_image(MICRO, 4)
    tiles = torch.from_numpy(patches(image, MICRO.patch))[None]
    assert np.array_equal(images_of(tiles, package)[0].permute(1, 2, 0).numpy(), image)


def quantised_from(network: M3ViT, path: Path) -> Package:
    """A package with the network's positions; nothing else of it is compared."""
    model = random_model(MICRO, 1)
    table = network.backbone.pos_embed.detach()[0].double().numpy()
    model.position[:] = np.floor(table * 2.0**model.residual_fraction + 0.5)
    compile_model(model, MINI, path)
    return read_package(path)


def test_float_device_runs_the_checkpoint_of_the_package(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = M3ViT(MICRO).eval()
    package = quantised_from(network, tmp_path / "package")
    checkpoint = save_checkpoint(tmp_path / "source.npz", MICRO, network.state_dict())
    image = random_image(MICRO, 5)
    tiles = patches(image, MICRO.patch)
    with GpuDevice("cuda", MINI, CPU, float_pass(checkpoint, torch.float32)) as gpu:
        gpu.load(package)
        got = gpu.run(package, tiles, 1)
    pixels = images_of(torch.from_numpy(tiles)[None], package)
    from m3vit.model.images import normalise

    with torch.no_grad():
        expected = network.features(normalise(pixels), "depth")[0].numpy()
    unit = 2.0**package.residual_fraction
    assert got.result.dtype == np.int16
    assert np.abs(got.result - expected * unit).max() <= 0.51
    assert not got.plans and got.saturations is None


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    package = quantised_from(M3ViT(MICRO), tmp_path / "package")
    other = M3ViT(MICRO)
    with torch.no_grad():
        other.backbone.pos_embed[0, 3, 2] += 0.1
    checkpoint = save_checkpoint(tmp_path / "other.npz", MICRO, other.state_dict())
    with pytest.raises(CheckpointError, match="is not what package .* was made from"):
        float_pass(checkpoint, torch.float32)(package, CPU)


def test_without_a_source_the_float_device_says_how_to_name_one(package: Package) -> None:
    with pytest.raises(DeviceError, match="say --device cuda:CHECKPOINT"):
        float_pass(None, torch.float32)(package, CPU)


@needs_no_cuda
@pytest.mark.parametrize("name", ["cuda", "cuda:weights.npz", "cuda-int8"])
def test_a_missing_cuda_device_is_one_clear_line(
    name: str, package: Package, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "x.png", "--package", str(package.path), "--device", name]
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no CUDA device" in line and "--device reference" in line


@pytest.mark.parametrize(
    ("name", "text"),
    [("tpu", "devices are reference, .*cuda, cuda-int8"), ("reference:x", "takes nothing behind")],
)
def test_device_names_are_checked(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        open_device(name, MINI)


@pytest.mark.gpu
def test_cuda_int8_equals_the_reference(package: Package) -> None:
    image = random_image(MICRO, 3)
    with ReferenceDevice(MINI) as reference, open_device("cuda-int8", MINI) as gpu:
        runtimes = [Runtime(package, device) for device in (reference, gpu)]
        for task in MICRO.task_names:
            expected, got = (each.run(each.prepare(image), task) for each in runtimes)
            assert np.array_equal(got.run.result, expected.run.result)
