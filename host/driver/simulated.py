"""The device ``rtl``: the driver over the RTL in simulation."""

import importlib

from m3vit.host.driver.accelerator import Accelerator
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.host.driver.platform import Platform
from m3vit.host.progress import say
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import MachineConfig

PLATFORM = "m3vit.sim.rtl.platform:open_platform"
"""Module and callable: the simulator is another part of the project, found when it is needed."""


def open_rtl(machine: MachineConfig, detail: str = "") -> AcceleratorDevice:
    """The device ``rtl`` or ``rtl:NAME=NUMBER,...``.

    Raises:
        ConfigurationError: ``detail`` is no such list, or names an unknown option.
        DeviceError, ToolError: the simulator cannot be built or started.
    """
    return AcceleratorDevice(Accelerator(open_simulation(machine, detail), machine, say))


def open_simulation(machine: MachineConfig, detail: str = "") -> Platform:
    """The platform alone; see :func:`open_rtl`."""
    module, _, opener = PLATFORM.partition(":")
    options = options_of(detail)
    platform: Platform = getattr(importlib.import_module(module), opener)(machine, options)
    return platform


def options_of(detail: str) -> dict[str, float]:
    """``latency=60,rate=45.7`` as numbers by name.

    Raises:
        ConfigurationError: an entry is not ``NAME=NUMBER``.
    """
    options = {}
    for entry in filter(None, detail.split(",")):
        name, _, value = entry.partition("=")
        try:
            options[name] = float(value)
        except ValueError:
            raise ConfigurationError(
                f"device option is {entry!r}, expected NAME=NUMBER, as in rtl:latency=100,rate=40"
            ) from None
    return options
