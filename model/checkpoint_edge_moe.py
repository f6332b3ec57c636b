"""Edge-MoE's weights: a folder of raw float32 arrays, one file a tensor, encoder only."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m3vit.hw.config import GateKind, ModelConfig
from m3vit.hw.errors import CheckpointError
from m3vit.model.checkpoint_check import expected_shapes, some
from m3vit.model.images import MEAN, STD
from m3vit.model.network import M3ViT

_SUFFIX = ".float32.bin"
_BLOCK_NAMES = {
    "norm1.weight": "norm1_weight",
    "norm1.bias": "norm1_bias",
    "norm2.weight": "norm2_weight",
    "norm2.bias": "norm2_bias",
    "attn.qkv.weight": "qkv_weight",
    "attn.qkv.bias": "qkv_bias",
    "attn.proj.weight": "attn_proj_weight",
    "attn.proj.bias": "attn_proj_bias",
    "mlp.fc1.weight": "fc1_weight",
    "mlp.fc1.bias": "fc1_bias",
    "mlp.fc2.weight": "fc2_weight",
    "mlp.fc2.bias": "fc2_bias",
    "mlp.experts.htoh4.weight": "htoh4_weight",
    "mlp.experts.htoh4.bias": "htoh4_bias",
    "mlp.experts.h4toh.weight": "h4toh_weight",
    "mlp.experts.h4toh.bias": "h4toh_bias",
}
_OUTER_NAMES = {
    "backbone.patch_embed.proj.weight": "patch_embed_weight",
    "backbone.patch_embed.proj.bias": "patch_embed_bias",
    "backbone.pos_embed": "pos_embed",
}


def _file_name(key: str) -> str:
    """Name of the file of one of our keys of the backbone."""
    if key in _OUTER_NAMES:
        return _OUTER_NAMES[key] + _SUFFIX
    layer, inner = key.removeprefix("backbone.blocks.").split(".", 1)
    if inner.startswith("mlp.gate."):
        task = inner.split(".")[2]
        return f"l{layer}_w_gate_T_task{task}{_SUFFIX}"
    return f"l{layer}_{_BLOCK_NAMES[inner]}{_SUFFIX}"


def _read(path: Path, shape: torch.Size) -> Tensor:
    values = np.fromfile(path, dtype="<f4")
    if path.stat().st_size != 4 * shape.numel():
        raise CheckpointError(
            f"{path} has {path.stat().st_size} bytes, expected {4 * shape.numel()} for "
            f"float32 {list(shape)}; check the preset or fetch the file again"
        )
    return torch.from_numpy(values).view(shape)


def _take_pixels_normalised(state: dict[str, Tensor]) -> None:
    """Fold our normalisation into the patch embedding, which was trained on pixel / 256.

    pixel / 256 = (x · STD + MEAN) · 255/256 for our input x.
    """
    weight = state["backbone.patch_embed.proj.weight"].double() * (255 / 256)
    mean = torch.tensor(MEAN, dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor(STD, dtype=torch.float64).view(1, 3, 1, 1)
    bias = state["backbone.patch_embed.proj.bias"].double() + (weight * mean).sum((1, 2, 3))
    state["backbone.patch_embed.proj.weight"] = (weight * std).float()
    state["backbone.patch_embed.proj.bias"] = bias.float()


def _stand_ins(config: ModelConfig) -> dict[str, Tensor]:
    """The network's initial values, the same every time, for what the folder lacks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return dict(M3ViT(config).state_dict())


def read_edge_moe(path: Path, config: ModelConfig) -> dict[str, Tensor]:
    """State dict of Edge-MoE's ``l<layer>_<name>.float32.bin`` files.

    The class token is part of the first position.  Expert files that are absent (they are in the
    public repository) and the task heads, which the folder never holds, get initial values; a
    warning names them.

    Raises:
        CheckpointError: another file is absent (named) or has the wrong size, or ``config`` has
            no multi-gate experts.
    """
    if not config.moe or config.gate is not GateKind.MULTI:
        raise CheckpointError(
            f"{path} is an Edge-MoE folder with a gate a task, {config.name} is not; "
            "use tiny-cityscapes-k2"
        )
    state = _stand_ins(config)
    state["backbone.cls_token"] = torch.zeros_like(state["backbone.cls_token"])
    absent: list[str] = []
    for key, shape in expected_shapes(config).items():
        if key.startswith("backbone.") and key != "backbone.cls_token":
            _take(path, key, shape, state, absent)
    _report(path, absent)
    _take_pixels_normalised(state)
    return state


def _take(
    path: Path, key: str, shape: torch.Size, state: dict[str, Tensor], absent: list[str]
) -> None:
    file = path / _file_name(key)
    if not file.is_file():
        absent.append(file.name)
    elif ".mlp.gate." in key:
        state[key] = _read(file, torch.Size(reversed(shape))).T.contiguous()
    else:
        state[key] = _read(file, shape)


def _report(path: Path, absent: list[str]) -> None:
    experts = [name for name in absent if "htoh4" in name or "h4toh" in name]
    others = sorted(set(absent) - set(experts))
    if others:
        raise CheckpointError(
            f"{path} lacks {some(others)}; expected Edge-MoE's weights folder, fetch it again"
        )
    lacking = f"and expert files {', '.join(experts)} " if experts else ""
    warnings.warn(
        f"{path}: task heads {lacking}are absent and get initial, untrained values", stacklevel=4
    )
