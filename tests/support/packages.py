"""Compiled packages of small random models."""

from dataclasses import replace
from pathlib import Path

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.hw.compiler.compile import compile_model
from m3vit.hw.config import ModelConfig
from m3vit.hw.formats import Int8
from m3vit.hw.machine import machine_preset
from m3vit.hw.package import Package, read_package
from m3vit.hw.presets import SCENE_TASKS
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.routing import RoutingPlan
from tests.support.random_models import random_model

MICRO = ModelConfig(
    name="micro",
    image_height=32,
    image_width=64,
    width=32,
    heads=2,
    blocks=2,
    experts=4,
    top_k=2,
    head_width=16,
    tasks=SCENE_TASKS,
)
"""Nine tokens, all five tasks of the rendered scenes."""

MICRO_DENSE = replace(MICRO, name="micro-dense", moe=False)


def compiled(
    path: Path, config: ModelConfig = MICRO, machine: str = "mini", seed: int = 0
) -> tuple[QuantisedModel, Package]:
    """A random model of ``config`` and its package at ``path``."""
    model = random_model(config, seed)
    compile_model(model, machine_preset(machine), path)
    return model, read_package(path)


def plans_of(package: Package, tiles: Int8, task: int) -> dict[int, RoutingPlan]:
    """The reference's routing by block for patches ``tiles``."""
    with ReferenceDevice(package.machine) as device:
        device.load(package)
        return dict(device.run(package, tiles, task).plans)
