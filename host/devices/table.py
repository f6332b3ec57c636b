"""Devices by name; each is imported when it is asked for, from whichever part of the project."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from m3vit.host.devices.device import Device
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig

DEVICES: Mapping[str, str] = MappingProxyType(
    {
        "reference": "m3vit.host.devices.reference:ReferenceDevice",
        "rtl": "m3vit.host.driver.simulated:open_rtl",
        "pynq": "m3vit.host.pynq.opening:open_board",
        "remote": "m3vit.host.pynq.opening:open_remote",
        "pynq-sim": "m3vit.host.pynq.opening:open_simulated",
        "cuda": "m3vit.model.gpu.devices:open_float",
        "cuda-int8": "m3vit.model.gpu.devices:open_integers",
    }
)
"""Name -> module:callable that opens the device, given the machine that it shall be."""

DETAILED = frozenset({"cuda", "rtl", "pynq", "remote", "pynq-sim"})
"""Devices whose name may go on behind a colon, which their callable takes as second argument."""


def open_device(name: str, machine: MachineConfig) -> Device:
    """Open the device called ``name``, for some ``name:detail``.

    Raises:
        ConfigurationError: there is none of that name (the message lists all), or it takes no
            detail.
        DeviceError: what the device needs is not there.
    """
    kind, _, detail = name.partition(":")
    if kind not in DEVICES:
        raise ConfigurationError(f"unknown device {kind!r}; devices are {', '.join(DEVICES)}")
    if detail and kind not in DETAILED:
        raise ConfigurationError(f"device {kind} takes nothing behind a colon, got {name!r}")
    module, _, opener = DEVICES[kind].partition(":")
    device: Device = getattr(importlib.import_module(module), opener)(
        machine, *([detail] if detail else [])
    )
    return device
