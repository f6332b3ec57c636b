"""Machines described in files: what is no preset."""

import json
import sys
from pathlib import Path
from typing import Any

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig, machine_preset

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_READERS: dict[str, Any] = {".json": json.loads, ".toml": tomllib.loads}


def find_machine(name: str) -> MachineConfig:
    """The preset called ``name``, or the machine that the .json or .toml file ``name`` describes.

    Raises:
        ConfigurationError: there is no such preset, or the file is none of a machine.
    """
    path = Path(name)
    if path.suffix not in _READERS:
        return machine_preset(name)
    try:
        values = _READERS[path.suffix](path.read_text())
    except OSError as error:
        raise ConfigurationError(f"machine file {path}: {error.strerror}") from error
    except ValueError as error:  # both decoders', and text that is no UTF-8
        raise ConfigurationError(f"machine file {path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"machine file {path}: expected a table of fields")
    return MachineConfig.from_dict(values)
