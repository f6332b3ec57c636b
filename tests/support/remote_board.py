"""A board that serves PYNQ.remote on this computer: its own protocol, a platform behind it."""

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from pynq.remote import (
    buffer_pb2,
    buffer_pb2_grpc,
    mmio_pb2,
    mmio_pb2_grpc,
    remote_device_pb2,
    remote_device_pb2_grpc,
)

from m3vit.host.driver.platform import Buffer
from m3vit.hw.register_fields import SPACE_BYTES
from m3vit.hw.registers import BY_NAME
from tests.support.fake_machine import FakePlatform

FILES = {
    "/proc/version": b"Linux version 6.12 aarch64",
    "/proc/device-tree/chosen/pynq_board": b"ZCU104\0",
    "/sys/class/fpga_manager/fpga0/state": b"operating",
    "/sys/class/fpga_manager/fpga0/flags": b"0",
}
WORDS = {0xFF5E_0020: 90 << 8 | 1 << 16}
"""I/O PLL: 33.3 MHz x 90 / 2 = 1500 MHz; other registers read zero until they are written."""


def bit_file(content: bytes = bytes(64)) -> bytes:
    """A bitstream file with the vendor's header around ``content``."""
    parts = [struct.pack(">h", 9), bytes(9), struct.pack(">h", 1)]
    for key, text in ((b"a", "m3vit;Version=2024.1"), (b"b", "xczu7ev"), (b"c", "-"), (b"d", "-")):
        parts += [key, struct.pack(">h", len(text) + 1), text.encode() + b"\0"]
    return b"".join([*parts, b"e", struct.pack(">i", len(content)), content])


class Board(
    remote_device_pb2_grpc.RemoteDeviceServicer,
    mmio_pb2_grpc.MmioServicer,
    buffer_pb2_grpc.RemoteBufferServicer,
):
    """All services in one; ``read`` and ``write`` tell MMIO from buffers by the request."""

    def __init__(self, platform: FakePlatform, base: int) -> None:
        self.platform, self.base = platform, base
        self.words, self.files = dict(WORDS), dict(FILES)
        self.buffers: dict[str, Buffer] = {}

    # files

    def existsfile(self, request: Any, context: Any) -> Any:
        return remote_device_pb2.ExistsFileResponse(exists=request.file_path in self.files)

    def readfile(self, request: Any, context: Any) -> Iterator[Any]:
        yield remote_device_pb2.ReadFileResponse(data=self.files[request.file_path])

    def writefile(self, request_iterator: Any, context: Any) -> Any:
        for request in request_iterator:
            self.files[request.file_path] = request.data
        return remote_device_pb2.WriteFileResponse()

    def set_bitstream_attrs(self, request: Any, context: Any) -> Any:
        return remote_device_pb2.SetBitstreamAttrsResponse(status=True)

    # registers

    def get_mmio(self, request: Any, context: Any) -> Any:
        return mmio_pb2.GetMmioResponse(status=True, mmio_id=str(request.base_addr))

    def _mine(self, address: int) -> bool:
        return self.base <= address < self.base + SPACE_BYTES

    def _read_word(self, request: Any) -> Any:
        address = int(request.mmio_id) + request.offset
        if not self._mine(address):
            return mmio_pb2.ReadResponse(status=True, data=self.words.get(address, 0))
        offset = address - self.base
        if offset == BY_NAME["STATUS"].offset:
            self.platform.wait(1e-3)  # its time passes by itself
        return mmio_pb2.ReadResponse(status=True, data=self.platform.read(offset))

    def _write_word(self, request: Any) -> Any:
        address = int(request.mmio_id) + request.offset
        value = int.from_bytes(request.data, "little")
        if self._mine(address):
            self.platform.write(address - self.base, value)
        else:
            self.words[address] = value
        return mmio_pb2.WriteResponse(status=True)

    # buffers

    def allocate(self, request: Any, context: Any) -> Any:
        buffer = self.platform.allocate(request.size)
        self.buffers[str(buffer.address)] = buffer
        return buffer_pb2.AllocateResponse(buffer_id=str(buffer.address))

    def _write_buffer(self, requests: Any) -> Any:
        content, name = b"", ""
        for request in requests:
            content, name = content + request.data, request.buffer_id
        self.buffers[name].data[:] = bytearray(content)
        return buffer_pb2.BufferWriteResponse()

    def _read_buffer(self, request: Any) -> Iterator[Any]:
        yield buffer_pb2.BufferReadResponse(data=self.buffers[request.buffer_id].data.tobytes())

    def freebuffer(self, request: Any, context: Any) -> Any:
        self.buffers.pop(request.buffer_id).free()
        return buffer_pb2.FreeBufferResponse()

    def flush(self, request: Any, context: Any) -> Any:
        self.buffers[request.buffer_id].to_device()
        return buffer_pb2.FlushResponse()

    def invalidate(self, request: Any, context: Any) -> Any:
        self.buffers[request.buffer_id].from_device()
        return buffer_pb2.InvalidateResponse()

    def physical_address(self, request: Any, context: Any) -> Any:
        return buffer_pb2.AddressResponse(address=int(request.buffer_id))


class _Mmio(mmio_pb2_grpc.MmioServicer):
    def __init__(self, board: Board) -> None:
        self._board = board

    def get_mmio(self, request: Any, context: Any) -> Any:
        return self._board.get_mmio(request, context)

    def read(self, request: Any, context: Any) -> Any:
        return self._board._read_word(request)

    def write(self, request: Any, context: Any) -> Any:
        return self._board._write_word(request)


class _Buffers(Board):
    def __init__(self, board: Board) -> None:
        self.__dict__ = board.__dict__  # the same board, seen through other services

    def read(self, request: Any, context: Any) -> Iterator[Any]:
        yield from self._read_buffer(request)

    def write(self, request_iterator: Any, context: Any) -> Any:
        return self._write_buffer(request_iterator)


def serve(board: Board) -> tuple[Any, int]:
    """The server, started, and its port."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(board, server)
    mmio_pb2_grpc.add_MmioServicer_to_server(_Mmio(board), server)
    buffer_pb2_grpc.add_RemoteBufferServicer_to_server(_Buffers(board), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
