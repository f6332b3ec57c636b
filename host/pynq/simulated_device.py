"""A ``pynq.Device`` without hardware: one core's registers and buffers on any platform of ours.

The real ``Overlay``, ``DefaultIP``, ``MMIO`` and ``allocate`` run on it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pynq
from pynq.buffer import PynqBuffer
from pynqmetadata.frontends import Metadata
from pynqmetadata.views.runtime import RuntimeMetadataParser

from m3vit.host.driver.platform import Buffer, Platform
from m3vit.hw.register_fields import SPACE_BYTES, WORD_BYTES


class SimulatedDevice(pynq.Device):
    """``platform`` behind the addresses from ``base``; other addresses are plain words.

    Args:
        platform: carries the machine.
        base: physical address of its registers, as the metadata states it.
    """

    capabilities = {"REGISTER_RW": True}

    def __init__(self, platform: Platform, base: int) -> None:
        super().__init__(f"m3vit-{platform.name}")
        self.name = "simulated"
        self._platform, self._base = platform, base
        self._others: dict[int, int] = {}
        self._buffers: dict[int, Buffer] = {}

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """What PYNQ's parser makes of the .hwh file beside the bitstream."""
        parser = RuntimeMetadataParser(Metadata(input=str(Path(bitfile_name).with_suffix(".hwh"))))
        parser.refresh_hierarchy_dict()
        return parser

    def read_registers(self, address: int, length: int) -> bytes:
        """Words from ``address``."""
        words = (self._read(at) for at in range(address, address + length, WORD_BYTES))
        return b"".join(word.to_bytes(WORD_BYTES, "little") for word in words)

    def write_registers(self, address: int, data: Any) -> None:
        """Words to ``address``."""
        content = bytes(data)
        for at in range(0, len(content), WORD_BYTES):
            word = int.from_bytes(content[at : at + WORD_BYTES], "little")
            if self._mine(address + at):
                self._platform.write(address + at - self._base, word)
            else:
                self._others[address + at] = word

    def _mine(self, address: int) -> bool:
        return self._base <= address < self._base + SPACE_BYTES

    def _read(self, address: int) -> int:
        if self._mine(address):
            return self._platform.read(address - self._base)
        return self._others.get(address, 0)

    def allocate(self, shape: Any, dtype: Any, **kwargs: Any) -> Any:
        """A ``PynqBuffer`` over a buffer of the platform."""
        kind = np.dtype(dtype)
        buffer = self._platform.allocate(int(np.prod(shape)) * kind.itemsize)
        handle = buffer.address
        self._buffers[handle] = buffer
        array: Any = PynqBuffer(
            shape,
            kind,
            buffer=buffer.data.data,
            device=self,
            device_address=handle,
            bo=handle,
        )
        array.memory, array.pointer, array.return_to = self, handle, self
        array.freed = True  # there is no mapping of the kernel's to undo behind return_pointer
        return array

    def return_pointer(self, pointer: int) -> None:
        """Called by ``PynqBuffer.freebuffer``."""
        self._buffers.pop(pointer).free()

    def flush(self, bo: int, offset: int, virtual_address: int, nbytes: int) -> None:
        """Called by ``PynqBuffer.flush``."""
        self._buffers[bo].to_device()

    def invalidate(self, bo: int, offset: int, virtual_address: int, nbytes: int) -> None:
        """Called by ``PynqBuffer.invalidate``."""
        self._buffers[bo].from_device()
