"""``m3vit run --waves``: every signal's course, on devices that can write it."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from m3vit.host.devices.device import Device
from m3vit.host.driver.device import AcceleratorDevice
from m3vit.hw.errors import ConfigurationError

LAST = 1 << 62
"""No end: the whole run."""


@runtime_checkable
class Waving(Protocol):
    """A platform that can write its signals."""

    def waves(self, path: Path, first: int, last: int) -> None:
        """Write the next run's signals from cycle ``first`` to before ``last``."""


def with_waves(device: str) -> str:
    """The device's name with the option that it can write waves.

    Raises:
        ConfigurationError: such a device has no signals.
    """
    if device.partition(":")[0] != "rtl":
        raise ConfigurationError(f"device {device} has no signals; --waves needs --device rtl")
    return f"{device}{',' if ':' in device else ':'}waves=1"


def window_of(text: str | None) -> tuple[int, int]:
    """``FROM:TO`` as cycles, both optional.

    Raises:
        ConfigurationError: it is no such window.
    """
    first, _, last = (text or "").partition(":")
    try:
        window = int(first or 0), int(last or LAST)
    except ValueError:
        window = 0, 0
    if not 0 <= window[0] < window[1]:
        raise ConfigurationError(f"--cycles is {text!r}, expected FROM:TO, as in 1000:2000")
    return window


def start_waves(device: Device, path: Path, window: tuple[int, int]) -> None:
    """Let the next run write its signals.

    Raises:
        ConfigurationError: the device has no signals.
        DeviceError: the file cannot be written.
    """
    platform = device.accelerator.platform if isinstance(device, AcceleratorDevice) else None
    if not isinstance(platform, Waving):
        raise ConfigurationError(f"device {device.name} has no waves; --waves needs --device rtl")
    path.parent.mkdir(parents=True, exist_ok=True)
    platform.waves(path, *window)
