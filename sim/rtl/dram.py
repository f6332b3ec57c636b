"""Buffers in the simulated DRAM: the file that the harness maps, handed out first fit."""

import mmap
from pathlib import Path

import numpy as np

from m3vit.hw.errors import DeviceError
from m3vit.hw.formats import UInt8

PAGE = 4096


class DramBuffer:
    """Bytes of the DRAM with a copy for the host, as caches keep one: see the driver's Buffer."""

    def __init__(self, dram: "Dram", address: int, size: int) -> None:
        self._dram, self.address = dram, address
        self.data: UInt8 = np.zeros(size, np.uint8)
        self.to_device()

    def to_device(self) -> None:
        """Write the host's copy to the DRAM."""
        self._dram.window(self.address, len(self.data))[:] = self.data

    def from_device(self) -> None:
        """Read the DRAM into the host's copy."""
        self.data[:] = self._dram.window(self.address, len(self.data))

    def free(self) -> None:
        """Give the bytes back."""
        self._dram.release(self.address)


class Dram:
    """``size`` bytes in the file ``path``; page 0 stays empty, and a page lies between buffers."""

    def __init__(self, path: Path, size: int, name: str) -> None:
        self.path, self.size, self._name = path, size, name
        with path.open("wb") as stream:
            stream.truncate(size)
        with path.open("r+b") as stream:
            self._map: UInt8 = np.frombuffer(mmap.mmap(stream.fileno(), size), np.uint8)
        self._taken: dict[int, int] = {}

    @property
    def taken(self) -> int:
        """Bytes of the buffers that are not freed."""
        return sum(self._taken.values())

    def window(self, address: int, size: int) -> UInt8:
        """The bytes at ``address``."""
        return self._map[address : address + size]

    def allocate(self, size: int) -> DramBuffer:
        """A zeroed buffer at a page's start.

        Raises:
            DeviceError: no gap is large enough.
        """
        address = PAGE
        for start, length in sorted(self._taken.items()):
            if start - address >= size + PAGE:
                break
            address = -(-(start + length) // PAGE) * PAGE + PAGE
        if address + size > self.size:
            raise DeviceError(
                f"{self._name}: no room for a buffer of {size} bytes: {self.taken} of "
                f"{self.size} bytes are taken by {len(self._taken)} buffers"
            )
        self._taken[address] = size
        return DramBuffer(self, address, size)

    def release(self, address: int) -> None:
        """Give a buffer's bytes back; unknown addresses are ignored."""
        self._taken.pop(address, None)
