"""Checkpoints of our own: one ``.npz`` with the configuration and every tensor by name."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from m3vit.hw.config import ModelConfig
from m3vit.hw.files import write_atomic

CONFIG_KEY = "__config__"


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
    arrays: dict[str, np.ndarray] = {CONFIG_KEY: np.array(json.dumps(config.to_dict()))}
    for key, value in state.items():
        array = value.detach().cpu().numpy()
        arrays[key] = array.astype(np.float16) if half and value.ndim >= 2 else array
    return write_atomic(path, lambda stream: np.savez(stream, **arrays))
