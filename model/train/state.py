"""The state of an unfinished run, from which it continues to the same result."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import CheckpointError, ConfigurationError
from m3vit.hw.files import write_atomic
from m3vit.model.train.optimiser import WeightAverage
from m3vit.model.train.settings import TrainSettings


def save_state(
    path: Path,
    config: ModelConfig,
    settings: TrainSettings,
    network: nn.Module,
    average: WeightAverage,
    optimiser: torch.optim.Optimizer,
    step: int,
) -> None:
    """Write everything that step ``step`` left behind, at once or not at all."""
    state = {
        "config": config.to_dict(),
        "settings": settings.to_dict(),
        "network": network.state_dict(),
        "average": average.values,
        "optimiser": optimiser.state_dict(),
        "step": step,
    }
    write_atomic(path, lambda stream: torch.save(state, stream))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; there is no run to resume, omit --resume")
    try:
        data = io.BytesIO(path.read_bytes())
        return torch.load(data, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
    except (RuntimeError, EOFError, pickle.UnpicklingError, KeyError) as error:
        raise CheckpointError(
            f"{path} is no training state or truncated ({type(error).__name__}); "
            "delete it and start again"
        ) from error


def _same(what: str, then: dict[str, Any], now: dict[str, Any]) -> None:
    differing = [key for key in now if then.get(key) != now[key]]
    if differing:
        changes = ", ".join(f"{k} {then.get(k)!r} is now {now[k]!r}" for k in differing[:3])
        raise ConfigurationError(
            f"the run to resume has another {what}: {changes}; give the same options or start anew"
        )


def load_state(
    path: Path,
    config: ModelConfig,
    settings: TrainSettings,
    network: nn.Module,
    average: WeightAverage,
    optimiser: torch.optim.Optimizer,
) -> int:
    """Restore what :func:`save_state` wrote and return its step.

    Raises:
        CheckpointError: the file is absent or unreadable.
        ConfigurationError: it belongs to another model or to other settings.
    """
    state = _read(path)
    _same("model", state["config"], config.to_dict())
    _same("setting", state["settings"], settings.to_dict())
    network.load_state_dict(state["network"])
    with torch.no_grad():
        for key, value in average.values.items():
            value.copy_(state["average"][key])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])
