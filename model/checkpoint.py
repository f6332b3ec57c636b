"""Reading and writing checkpoints: our own file, the original code's, Edge-MoE's folder."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import CheckpointError
from m3vit.hw.files import write_atomic
from m3vit.model.checkpoint_check import checked
from m3vit.model.checkpoint_edge_moe import read_edge_moe
from m3vit.model.checkpoint_original import read_original
from m3vit.model.network import M3ViT

CONFIG_KEY = "__config__"
_PRESET_HINT = "name the preset that it was trained with"


def save_checkpoint(
    path: Path, config: ModelConfig, state: Mapping[str, Tensor], half: bool = False
) -> Path:
    """Write ``state`` under its own keys, and the configuration as JSON.

    Args:
        path: file to write, at once or not at all; should end in ``.npz``.
        config: the configuration of the network.
        state: its state dict.
        half: round matrices (two dimensions or more) to float16, halving the file.

    Raises:
        WriteError: the disk is full or forbidden.
    """
    arrays: dict[str, NDArray[np.generic]] = {CONFIG_KEY: np.array(json.dumps(config.to_dict()))}
    for key, value in state.items():
        array = value.detach().cpu().numpy()
        arrays[key] = array.astype(np.float16) if half and value.ndim >= 2 else array
    return write_atomic(path, lambda stream: np.savez_compressed(stream, **arrays))


def load_checkpoint(
    path: Path, config: ModelConfig | None = None
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Read a checkpoint of any of the three kinds.

    Args:
        path: our ``.npz``, a file that the original M3ViT code saved with torch, or a folder of
            Edge-MoE's ``l<layer>_<name>.float32.bin`` files.
        config: the network's configuration, which only our own file carries itself.

    Returns:
        The configuration and a complete state dict, float32, for `m3vit.model.network.M3ViT`.

    Raises:
        CheckpointError: the file is absent or no checkpoint, or tensors are missing, misshapen or
            not finite (named).
        ConfigurationError: a configuration inside the file cannot be read.
    """
    if not path.exists():
        raise CheckpointError(f"checkpoint {path} does not exist; check the path")
    if path.is_file() and _is_ours(path):
        own, state = _read_own(path)
        if config is not None and config.digest != own.digest:
            raise CheckpointError(
                f"{path} holds {own.name}, expected {config.name}; name the right preset or none"
            )
        return own, checked(path, own, state)
    if config is None:
        raise CheckpointError(f"{path} does not say what network it is for; {_PRESET_HINT}")
    reader = read_edge_moe if path.is_dir() else read_original
    return config, checked(path, config, reader(path, config))


def load_network(path: Path, config: ModelConfig | None = None) -> M3ViT:
    """The network of :func:`load_checkpoint`, in evaluation mode; same errors."""
    found, state = load_checkpoint(path, config)
    network = M3ViT(found)
    network.load_state_dict(state)
    return network.eval()


def _is_ours(path: Path) -> bool:
    # By name too: a truncated archive has no readable list of contents.
    if path.suffix == ".npz" or not zipfile.is_zipfile(path):
        return path.suffix == ".npz"
    with zipfile.ZipFile(path) as archive:
        return f"{CONFIG_KEY}.npy" in archive.namelist()


def _read_own(path: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        values = json.loads(str(arrays.pop(CONFIG_KEY)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path} is truncated or no checkpoint ({type(error).__name__}); fetch or train it anew"
        ) from error
    return ModelConfig.from_dict(values), {k: torch.from_numpy(v) for k, v in arrays.items()}
