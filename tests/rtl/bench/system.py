"""A complete machine behind cocotbext-axi: registers on AXI4-Lite, memory on the masters."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiReadBus,
    AxiSlaveRead,
    AxiSlaveWrite,
    AxiWriteBus,
)

from m3vit.hw.commands.fields import WORD_BYTES, Base
from m3vit.hw.commands.word import encode
from m3vit.hw.compiler.builder import Program
from m3vit.hw.error_codes import ErrorCode
from m3vit.hw.executor.engine import Engine, image_bytes
from m3vit.hw.formats import Int8, UInt8
from m3vit.hw.registers import BASES, BY_NAME, WINDOW_UNIT
from m3vit.rtl.machine_memory import READS
from tests.rtl.bench.player import start

BUFFER = 1 << 17
"""Bytes between one base and the next."""
LIST = len(Base) * BUFFER
LIMIT = 60_000
"""Cycles after which a run counts as hung."""


class Refusal(Exception):
    """Makes the memory answer with SLVERR."""


class Memory:
    """Bytes behind all ports; fails the access number ``fails_read`` or ``fails_write``."""

    def __init__(self) -> None:
        self.data = bytearray(LIST + 1024 * WORD_BYTES)
        self.reads = self.writes = 0
        self.fails_read = self.fails_write = -1
        self.failed_at = 0

    async def read(self, address: int, length: int) -> bytes:
        self.reads += 1
        if self.reads == self.fails_read:
            self.failed_at = address
            raise Refusal
        return bytes(self.data[address : address + length])

    async def write(self, address: int, data: bytes) -> None:
        self.writes += 1
        if self.writes == self.fails_write:
            self.failed_at = address
            raise Refusal
        self.data[address : address + len(data)] = data

    def forgive(self) -> None:
        """Count accesses anew, fail none."""
        self.reads = self.writes = 0
        self.fails_read = self.fails_write = -1


class System:
    """The device under test with a driver's view of it."""

    def __init__(self, dut: Any, program: Program) -> None:
        self.dut, self.program = dut, program
        self.config = program.model.config
        self.memory = Memory()
        self.ports: list[AxiSlaveRead] = []
        image = program.memory.data
        self.memory.data[: len(image)] = image
        self.engine = Engine(tuple(program.commands), image, program.machine)

    async def begin(self) -> None:
        """Clock, reset, ports, registers, the program's list."""
        dut = self.dut
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            getattr(dut, f"s_axi_{name}").value = 0
        await start(dut)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        for number in range(READS):
            bus = AxiReadBus.from_prefix(dut, f"m{number}_axi")
            self.ports.append(AxiSlaveRead(bus, dut.clk, dut.rst, target=self.memory))
        bus = AxiWriteBus.from_prefix(dut, "m0_axi")
        self.writer = AxiSlaveWrite(bus, dut.clk, dut.rst, target=self.memory)
        await ClockCycles(dut.clk, 4)
        for number, name in enumerate(BASES):
            await self.write(f"BASE_{name}_LO", number * BUFFER)
            await self.write(f"BASE_{name}_HI", 0)
            await self.write(f"WINDOW_{name}", BUFFER // WINDOW_UNIT)
        await self.write("COMMAND_ADDRESS", LIST // WINDOW_UNIT)
        await self.give([encode(command) for command in self.program.commands])

    def stall(self, rng: random.Random, share: float) -> None:
        """Data channels pause at random; 1 = for ever, 0 = never."""

        def pauses() -> Iterator[bool]:
            while True:
                yield from [True] * (rng.random() < share) * rng.randrange(1, 20)
                yield False

        for port in self.ports:
            port.r_channel.set_pause_generator(pauses() if 0 < share < 1 else None)
            port.r_channel.pause = share == 1

    async def read(self, name: str) -> int:
        return int.from_bytes((await self.lite.read(BY_NAME[name].offset, 4)).data, "little")

    async def write(self, name: str, value: int) -> None:
        await self.lite.write(BY_NAME[name].offset, value.to_bytes(4, "little"))

    async def status(self, field: str) -> int:
        return BY_NAME["STATUS"].field(field).get(await self.read("STATUS"))

    async def give(self, words: Sequence[bytes], count: int | None = None) -> None:
        """Another command list."""
        data = b"".join(words)
        self.memory.data[LIST : LIST + len(data)] = data
        await self.write("COMMAND_COUNT", len(words) if count is None else count)

    async def control(self, *fields: str) -> None:
        """Write a 1 to bits of CONTROL."""
        register = BY_NAME["CONTROL"]
        await self.write("CONTROL", sum(register.field(name).put(1) for name in fields))

    async def go(self, tiles: Int8, task: int, *more: str) -> None:
        """Image into memory, start."""
        data = image_bytes(tiles).tobytes()
        self.memory.data[BUFFER : BUFFER + len(data)] = data
        at = Base.RESULT * BUFFER
        self.memory.data[at : at + BUFFER] = bytes(BUFFER)
        await self.write("TASK", task)
        await self.control("START", *more)

    async def idle(self, limit: int = LIMIT) -> None:
        """Wait until the machine is ready again."""
        for _ in range(limit // 100):
            if await self.status("IDLE"):
                return
            await ClockCycles(self.dut.clk, 80)
        raise AssertionError(f"busy after {limit} cycles, command {await self.error()}")

    async def error(self) -> tuple[ErrorCode, int]:
        """Code and command."""
        code = BY_NAME["ERROR"].field("CODE").get(await self.read("ERROR"))
        return ErrorCode(code), await self.read("ERROR_COMMAND")

    def expected(self, tiles: Int8, task: int) -> dict[Base, UInt8]:
        """What the executor leaves in memory."""
        size = {
            Base.RESULT: 2 * self.config.tokens * self.config.width,
            Base.TRACE: self.program.trace.size,
        }
        memory = {base: np.zeros(count, np.uint8) for base, count in size.items()}
        self.engine.run({**memory, Base.IMAGE: image_bytes(tiles)}, task)
        return memory

    async def good_run(self, tiles: Int8, task: int, *more: str) -> None:
        """A run whose result equals the executor's, with TRACE every layer."""
        await self.write("INTERRUPT_STATUS", 3)
        await self.go(tiles, task, *more)
        await self.idle()
        assert await self.read("INTERRUPT_STATUS") == 1
        assert await self.error() == (ErrorCode.NONE, 0)
        assert await self.status("DONE")
        want = self.expected(tiles, task)
        for base in (Base.RESULT, *((Base.TRACE,) if "TRACE" in more else ())):
            at = base * BUFFER
            got = np.frombuffer(bytes(self.memory.data[at : at + len(want[base])]), np.uint8)
            np.testing.assert_array_equal(got, want[base], err_msg=base.name)
