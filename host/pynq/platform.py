"""A board as the driver's platform, through ``DefaultIP``, ``MMIO`` and ``pynq.allocate``."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pynq

from m3vit.host.driver.platform import Platform
from m3vit.host.pynq.ip import AcceleratorIP
from m3vit.host.pynq.loop import LoopThread
from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import UInt8
from m3vit.hw.records import Evidence

SLACK_S = 1.0
"""Linux may not look at a run for a while."""

SLICE_S = 0.05
POLL_S = 0.0005


@contextmanager
def _reaching(name: str) -> Iterator[None]:
    """Whatever PYNQ, the system or a connection raises means that the device has gone."""
    try:
        yield
    except Exception as error:
        raise DeviceError(
            f"{name}: the device has gone ({_words(error)}); open it again and load the packages"
        ) from error


class PynqMemory:
    """A buffer of ``pynq.allocate`` on the device called ``name``."""

    def __init__(self, device: Any, size: int, name: str) -> None:
        self._name = name
        self._array = pynq.allocate((size,), "u1", target=device)
        self.address = int(self._array.device_address)
        self.data: UInt8 = np.asarray(self._array)
        self.data[:] = 0
        self.to_device()

    def to_device(self) -> None:
        """Write caches back."""
        with _reaching(self._name):
            self._array.sync_to_device()

    def from_device(self) -> None:
        """Drop caches."""
        with _reaching(self._name):
            self._array.sync_from_device()

    def free(self) -> None:
        """Give the contiguous memory back; a second call changes nothing."""
        array, self._array = self._array, None
        if array is not None:
            self.data = np.empty(0, np.uint8)
            with suppress(DeviceError), _reaching(self._name):  # gone, and its memory with it
                array.freebuffer()


class PynqPlatform:
    """One core on one PYNQ device.

    Args:
        core: what the overlay bound to our VLNV.
        name: what messages and records call it.
        evidence: what the machine's counts are worth.
        lock: a name that all processes that can reach this board share.
        carrier: what lets the core's time pass and is closed with this platform, for a simulated
            one; None = time passes by itself, and the interrupt is waited for where there is one.
        loop: runs the coroutines of the core's interrupt.
    """

    def __init__(
        self,
        core: AcceleratorIP,
        name: str,
        evidence: Evidence,
        lock: str | None = None,
        carrier: Platform | None = None,
        loop: LoopThread | None = None,
    ) -> None:
        self._core, self.name = core, name
        self.evidence, self.lock = evidence, lock
        self._carrier, self._loop = carrier, loop
        self.slack_s = carrier.slack_s if carrier else SLACK_S
        self.slice_s = carrier.slice_s if carrier else SLICE_S

    def read(self, offset: int) -> int:
        """Read through the core's MMIO."""
        with _reaching(self.name):
            return int(self._core.read(offset))

    def write(self, offset: int, value: int) -> None:
        """Write through the core's MMIO."""
        with _reaching(self.name):
            self._core.write(offset, int(value))

    def allocate(self, size: int) -> PynqMemory:
        """Contiguous memory of the kernel's pool (CMA)."""
        try:
            return PynqMemory(self._core.device, size, self.name)
        except Exception as error:
            raise DeviceError(
                f"{self.name}: no room for a buffer of {size} bytes ({_words(error)}); boot the "
                "board with a larger CMA pool, or unload packages"
            ) from error

    def wait(self, seconds: float) -> bool:
        """Until the interrupt, or ``seconds``; without an interrupt it returns after a moment."""
        line = self._core.line
        if self._carrier is not None and (line is None or self._loop is None):
            return self._carrier.wait(seconds)
        if line is None or self._loop is None:
            time.sleep(min(seconds, POLL_S))
            return False
        return self._loop.finish(line.wait(), seconds)

    def close(self) -> None:
        """The overlay stays loaded; a simulated one ends."""
        if self._loop is not None:
            self._loop.close()
        if self._carrier is not None:
            self._carrier.close()


def _words(error: Exception) -> str:
    """One line of an error of PYNQ, numpy, the system or a remote call."""
    details = getattr(error, "details", None)
    text = str(details() if callable(details) else error)
    return (text.splitlines() or [type(error).__name__])[0]
