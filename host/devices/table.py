"""Devices by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from m3vit.host.devices.device import Device
from m3vit.host.devices.reference import ReferenceDevice
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig

DEVICES: Mapping[str, Callable[[MachineConfig], Device]] = MappingProxyType(
    {"reference": ReferenceDevice}
)
"""Name -> what opens the device, given the machine that it shall be."""


def open_device(name: str, machine: MachineConfig) -> Device:
    """Open the device called ``name``.

    Raises:
        ConfigurationError: there is none of that name; the message lists all.
    """
    if name not in DEVICES:
        raise ConfigurationError(f"unknown device {name!r}; devices are {', '.join(DEVICES)}")
    return DEVICES[name](machine)
