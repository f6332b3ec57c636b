"""Whether a state dict fits a configuration: every key there, of its shape, finite."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import CheckpointError
from m3vit.model.network import M3ViT

_SHOWN = 3
_COUNTER = "num_batches_tracked"


def expected_shapes(config: ModelConfig) -> dict[str, torch.Size]:
    """Shape of every entry of the state dict of ``config``'s network, without allocating it."""
    with torch.device("meta"):
        return {key: value.shape for key, value in M3ViT(config).state_dict().items()}


def some(names: list[str]) -> str:
    """The first few names, and how many there are."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}, ... ({len(names)} in all)"


def _complaints(shapes: Mapping[str, torch.Size], state: Mapping[str, Tensor]) -> list[str]:
    missing = [k for k in shapes if k not in state and not k.endswith(_COUNTER)]
    misshapen = [
        f"{k} is {list(state[k].shape)}, expected {list(shape)}"
        for k, shape in shapes.items()
        if k in state and state[k].shape != shape
    ]
    bad = [k for k in shapes if k in state and not bool(torch.isfinite(state[k]).all())]
    found = (("missing", missing), ("misshapen", misshapen), ("not finite", bad))
    return [f"{what}: {some(names)}" for what, names in found if names]


def checked(path: Path, config: ModelConfig, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of ``state`` that the network needs, as float32 (counters as int64).

    Raises:
        CheckpointError: entries are missing, misshapen or not finite; the message names them.
    """
    shapes = expected_shapes(config)
    complaints = _complaints(shapes, state)
    if complaints:
        raise CheckpointError(
            f"{path} does not fit {config.name}; {'; '.join(complaints)}; "
            "check the preset or fetch the checkpoint again"
        )
    zero = torch.zeros((), dtype=torch.int64)
    return {
        key: state.get(key, zero).long() if key.endswith(_COUNTER) else state[key].float()
        for key in shapes
    }
