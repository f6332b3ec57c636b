"""Named model configurations: sizes x inputs, and the ones that rivals publish."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypedDict

from m3vit.hw.config import ModelConfig, TaskConfig, TaskKind
from m3vit.hw.errors import ConfigurationError


class _Size(TypedDict):
    width: int
    heads: int


def _task(name: str, kind: TaskKind, channels: int) -> TaskConfig:
    return TaskConfig(name=name, kind=kind, channels=channels)


_SEMSEG, _DEPTH, _NORMALS = TaskKind.SEGMENTATION, TaskKind.DEPTH, TaskKind.NORMALS
_EDGES, _SALIENCY, _PARTS = TaskKind.EDGES, TaskKind.SALIENCY, TaskKind.PARTS

SCENE_TASKS = (
    _task("segmentation", _SEMSEG, 8),
    _task("depth", _DEPTH, 1),
    _task("normals", _NORMALS, 3),
    _task("edges", _EDGES, 1),
    _task("saliency", _SALIENCY, 1),
)
"""Tasks of the rendered scenes, which the shipped checkpoint is trained on."""

_SIZES: dict[str, _Size] = {
    "tiny": {"width": 192, "heads": 3},
    "small": {"width": 384, "heads": 12},
    "base": {"width": 768, "heads": 12},
}

_INPUTS: dict[str, tuple[int, int, tuple[TaskConfig, ...]]] = {
    "cityscapes": (128, 256, (_task("semseg", _SEMSEG, 19), _task("depth", _DEPTH, 1))),
    "pascal": (
        512,
        512,
        (
            _task("semseg", _SEMSEG, 21),
            _task("human_parts", _PARTS, 7),
            _task("sal", _SALIENCY, 1),
            _task("edge", _EDGES, 1),
            _task("normals", _NORMALS, 3),
        ),
    ),
    "nyud": (480, 640, (_task("semseg", _SEMSEG, 40), _task("depth", _DEPTH, 1))),
    "224": (224, 224, SCENE_TASKS),
    "scenes": (128, 256, SCENE_TASKS),
}


def _paper(size: str, source: str) -> ModelConfig:
    height, width, tasks = _INPUTS[source]
    return ModelConfig(
        name=f"{size}-{source}",
        image_height=height,
        image_width=width,
        tasks=tasks,
        **_SIZES[size],
    )


def _nano(source: str) -> ModelConfig:
    """The size that trains on a CPU: three heads of 32 fill the three groups of the array."""
    height, width, tasks = _INPUTS[source]
    return ModelConfig(
        name=f"nano-{source}",
        image_height=height,
        image_width=width,
        tasks=tasks,
        width=96,
        heads=3,
        blocks=6,
        experts=8,
        top_k=2,
        head_width=32,
    )


def _edge_moe() -> ModelConfig:
    """Edge-MoE's network: Tiny at 129 tokens, two of 16 experts of twice the width."""
    paper = _paper("tiny", "cityscapes")
    return replace(paper, name="tiny-cityscapes-k2", top_k=2, expert_ratio=2)


def _all() -> dict[str, ModelConfig]:
    models = [_nano(source) for source in _INPUTS]
    models += [_paper(size, source) for size in _SIZES for source in _INPUTS]
    models.append(_edge_moe())
    return {model.name: model for model in models}


MODELS: Mapping[str, ModelConfig] = MappingProxyType(_all())
"""Every preset by name."""


def model_preset(name: str) -> ModelConfig:
    """The preset called ``name``.

    Raises:
        ConfigurationError: there is none of that name; the message lists all.
    """
    if name not in MODELS:
        raise ConfigurationError(f"unknown preset {name!r}; presets are {', '.join(MODELS)}")
    return MODELS[name]
