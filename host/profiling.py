"""``m3vit run --profile``: events counted run by run, on devices that can count them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from m3vit.host.devices.device import Device
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.host.profile import Profile, profiles_of, write_profile
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.package import Package


@runtime_checkable
class Profiling(Protocol):
    """A platform that counts every event while it is told to."""

    def profile(self, on: bool) -> None:
        """Count from now on, or no longer."""

    def profiled(self) -> dict[str, Any]:
        """What was counted."""


def start_profile(device: Device) -> Profiling:
    """Let ``device`` count from now on.

    Raises:
        ConfigurationError: it cannot.
    """
    platform = device.accelerator.platform if isinstance(device, AcceleratorDevice) else None
    if not isinstance(platform, Profiling):
        raise ConfigurationError(
            f"device {device.name} counts no events by command; --profile needs --device rtl"
        )
    platform.profile(True)
    return platform


def write_profiles(
    counting: Profiling, package: Package, names: Sequence[str], folder: Path
) -> tuple[list[Profile], list[Path]]:
    """Stop counting and write ``folder/NAME`` for each run, in the order of ``names``.

    Raises:
        ConfigurationError: there were more or fewer runs, as when one was tried again.
    """
    counting.profile(False)
    profiles = profiles_of(counting.profiled(), package)
    if len(profiles) != len(names):
        raise ConfigurationError(
            f"{len(profiles)} runs were counted, expected {len(names)}; profile without faults"
        )
    written: list[Path] = []
    for name, profile in zip(names, profiles, strict=True):
        written += write_profile(folder / name, profile)
    return profiles, written
