"""Compiling to a package: limits by name, the recorded sample, nothing half written."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.hw import files
from m3vit.hw.commands.fields import Base, Element
from m3vit.hw.compiler.compile import check_fits, compile_model
from m3vit.hw.compiler.sample import procedural_image
from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.evaluate import evaluate, evaluate_head
from m3vit.hw.executor.engine import Engine, image_bytes
from m3vit.hw.golden.embedding import patches
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.hw.package import Package, read_package
from m3vit.hw.presets import MODELS, model_preset
from tests.support.packages import MICRO, MICRO_DENSE, compiled
from tests.support.random_models import random_image, random_model

BYTES = {Element.INT8: "|i1", Element.INT16: "<i2", Element.INT32: "<i4", Element.PLAN: "|u1"}


def _run_traced(package: Package, image: np.ndarray, task: int) -> dict[Base, np.ndarray]:
    config = package.config
    memory = {
        Base.IMAGE: image_bytes(patches(image, config.patch)),
        Base.RESULT: np.zeros(2 * config.tokens * config.width, np.uint8),
        Base.TRACE: np.zeros(package.trace_bytes, np.uint8),
    }
    Engine(package.commands, package.weights, package.machine).run(memory, task)
    return memory


@pytest.mark.parametrize("config", [MICRO, MICRO_DENSE], ids=lambda config: config.name)
def test_golden_layers_are_what_the_commands_dump(tmp_path: Path, config: ModelConfig) -> None:
    _, package = compiled(tmp_path / "p", config)
    golden = package.golden()
    memory = _run_traced(package, golden["image"], task=0)
    for region in package.trace:
        data = memory[Base.TRACE][region.offset : region.offset + region.size]
        dumped = data.view(BYTES[Element[region.element]]).reshape(region.tokens, -1)
        expected = golden[f"layers.{region.block}.{region.name}"]
        assert np.array_equal(dumped, expected), f"{region.name} of block {region.block}"
    layers = {name for name in golden if name.startswith("layers.")}
    assert layers == {f"layers.{region.block}.{region.name}" for region in package.trace}


def test_golden_holds_every_task(tmp_path: Path) -> None:
    model, package = compiled(tmp_path / "p")
    golden = package.golden()
    for number, task in enumerate(MICRO.task_names):
        run = evaluate(model, golden["image"], number)
        assert np.array_equal(golden[f"{task}.result"], run.result)
        logits = evaluate_head(model, run.result, number)
        assert np.array_equal(golden[f"{task}.logits"], logits)
        experts, weights = run.plans[1].per_token()
        assert np.array_equal(golden[f"{task}.1.experts"], experts)
        assert np.array_equal(golden[f"{task}.1.weights"], weights)


def test_own_sample_is_recorded(tmp_path: Path) -> None:
    image = random_image(MICRO, 5)
    compile_model(random_model(MICRO, 0), machine_preset("mini"), tmp_path / "p", image)
    assert np.array_equal(read_package(tmp_path / "p").golden()["image"], image)


def test_sample_of_another_size_is_refused_and_nothing_written(tmp_path: Path) -> None:
    image = procedural_image(16, 16)
    with pytest.raises(ConfigurationError, match="resize it first"):
        compile_model(random_model(MICRO, 0), machine_preset("mini"), tmp_path / "p", image)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "machine", "limit"),
    [
        ("small-224", "mini", "width"),
        ("tiny-pascal", "mini", "tokens"),
        ("base-pascal", "zcu104", "bytes of tokens x width"),
        ("base-nyud", "zcu104", "bytes of tokens x width"),
    ],
)
def test_exceeded_limit_is_named(model: str, machine: str, limit: str) -> None:
    with pytest.raises(ConfigurationError, match=f"does not fit machine {machine}: .*{limit}"):
        check_fits(model_preset(model), machine_preset(machine))


def test_expert_limits_are_named() -> None:
    machine = MachineConfig(name="few", max_experts=8, max_top_k=2)
    tiny = model_preset("tiny-cityscapes")
    with pytest.raises(ConfigurationError, match="experts: 16 needed, 8 available"):
        check_fits(tiny, machine)
    with pytest.raises(ConfigurationError, match="experts a token: 4 needed, 2 available"):
        check_fits(replace(tiny, experts=8), machine)
    check_fits(tiny.dense_twin(), machine)


def test_small_ring_is_named() -> None:
    with pytest.raises(ConfigurationError, match="weight ring: 37248 needed, 4096 available"):
        check_fits(model_preset("nano-scenes"), MachineConfig(name="thin", ring_bytes=4096))


def test_every_preset_but_base_at_many_tokens_fits_the_zcu104() -> None:
    def fits(config: ModelConfig) -> bool:
        try:
            check_fits(config, machine_preset("zcu104"))
        except ConfigurationError:
            return False
        return True

    too_large = {name for name, config in MODELS.items() if not fits(config)}
    assert too_large == {"base-pascal", "base-nyud"}


def test_full_disk_leaves_the_old_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, before = compiled(tmp_path / "p")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(files.WriteError, match="No space left on device"):
        compiled(tmp_path / "p", seed=1)
    monkeypatch.undo()
    assert read_package(tmp_path / "p").digest == before.digest
    assert [entry.name for entry in tmp_path.iterdir()] == ["p"]


def test_compiling_twice_gives_the_same_package(tmp_path: Path) -> None:
    assert compiled(tmp_path / "a")[1].digest == compiled(tmp_path / "b")[1].digest


def test_procedural_image_shows_more_than_a_slope() -> None:
    image = procedural_image(128, 256)
    assert image.shape == (128, 256, 3) and image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 1000
