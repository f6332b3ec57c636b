"""Checkpoints that the original M3ViT code saved."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import CheckpointError
from m3vit.model.checkpoint_check import expected_shapes, some

_WRAPPERS = ("state_dict", "model")
_PREFIX = "module."
_PARTS = ("backbone.", "decoders.")


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError, KeyError) as error:
        raise CheckpointError(
            f"{path} is no checkpoint that torch can read safely, or truncated "
            f"({type(error).__name__}); save its state dict alone with torch.save"
        ) from error


def _unwrapped(path: Path, content: Any) -> Mapping[str, Any]:
    for name in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, expected a state dict, alone or under "
            f"{' or '.join(map(repr, _WRAPPERS))}"
        )
    return content


def _our_name(key: str) -> str:
    key = key.removeprefix(_PREFIX)
    return key if key.startswith(_PARTS) else f"backbone.{key}"


def read_original(path: Path, config: ModelConfig) -> dict[str, Tensor]:
    """State dict of a file saved by the original code, under our (and its) key names.

    The dict may lie under ``state_dict`` or ``model``, its keys may start with ``module.``, and a
    backbone saved alone lacks ``backbone.``.  Entries that the network has no use for (training
    modules, a distillation token) are left out with a warning.

    Raises:
        CheckpointError: the file is no such checkpoint.
    """
    content = _unwrapped(path, _load(path))
    state = {_our_name(k): v for k, v in content.items() if isinstance(v, Tensor)}
    wanted = expected_shapes(config)
    unused = sorted(set(state) - set(wanted))
    if unused:
        warnings.warn(f"{path}: not used: {some(unused)}", stacklevel=3)
    return {key: value for key, value in state.items() if key in wanted}
