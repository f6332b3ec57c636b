"""AXI4 masters against cocotbext-axi memories: stalls, page crossings, error responses."""

import itertools
import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from cocotbext.axi import (
    AxiRamRead,
    AxiRamWrite,
    AxiReadBus,
    AxiSlaveRead,
    AxiSlaveWrite,
    AxiWriteBus,
)

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.axi_bursts import BurstSplitter
from m3vit.rtl.axi_read import AxiRead
from m3vit.rtl.axi_write import AxiWrite
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench

BEAT = 16
SIZE = 1 << 16


class Refusing:
    """A target that fails every access to addresses from ``first`` on."""

    def __init__(self, first: int = 0) -> None:
        self.first = first

    async def read(self, address: int, length: int) -> bytes:
        if address >= self.first:
            raise RuntimeError("refused")
        return bytes(length)

    async def write(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("refused")


def pauses(rng: random.Random) -> Any:
    return (rng.random() < 0.4 for _ in itertools.count())


def regions(rng: random.Random) -> list[tuple[int, int]]:
    """(address, beats): single beats, pages crossed, several bursts."""
    chosen = [(0, 1), (0xFF0, 2), (0x1000 - 16 * BEAT, 40), (0x40, 300)]
    return chosen + [(BEAT * rng.randrange(2000), rng.randrange(1, 100)) for _ in range(20)]


async def clock(dut: Any) -> None:
    await RisingEdge(dut.clk)
    await Timer(1, "ns")


async def offer(dut: Any, wanted: list[tuple[int, int]]) -> None:
    """Hand over the regions one after the other."""
    for address, beats in wanted:
        dut.valid.value, dut.address.value, dut.beats.value = 1, address, beats
        if hasattr(dut, "tag"):
            dut.tag.value = address >> 8
        while True:
            await ReadOnly()
            taken = int(dut.ready.value)
            await clock(dut)
            if taken:
                break
    dut.valid.value = 0


@cocotb.test()
async def regions_are_read(dut: Any) -> None:
    rng = random.Random(17)
    await start(dut)
    memory = AxiRamRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=SIZE)
    content = rng.randbytes(SIZE)
    memory.write(0, content)
    memory.ar_channel.set_pause_generator(pauses(rng))
    memory.r_channel.set_pause_generator(pauses(rng))
    wanted = regions(rng)
    cocotb.start_soon(offer(dut, wanted))
    for address, beats in wanted:
        got, last = b"", 0
        while not last:
            dut.data_ready.value = int(rng.random() < 0.7)
            await ReadOnly()
            if int(dut.data_valid.value) and int(dut.data_ready.value):
                got += int(dut.data.value).to_bytes(BEAT, "little")
                last = int(dut.data_last.value)
            await clock(dut)
        assert got == content[address : address + beats * BEAT]
    await clock(dut)
    assert int(dut.idle.value) and not int(dut.error.value)


@cocotb.test()
async def read_errors_are_kept(dut: Any) -> None:
    await start(dut)
    AxiSlaveRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=Refusing())
    cocotb.start_soon(offer(dut, [(0x100, 3)]))
    dut.data_ready.value = 1
    await wait_idle(dut)
    assert int(dut.error.value) == 1
    await pulse_clear(dut)
    assert int(dut.error.value) == 0


async def wait_idle(dut: Any) -> None:
    """Through the work that was just offered."""
    for _ in range(6):
        await clock(dut)
    for _ in range(500):
        if int(dut.idle.value):
            return
        await clock(dut)
    raise AssertionError("the port never became idle")


async def pulse_clear(dut: Any) -> None:
    dut.clear.value = 1
    await clock(dut)
    dut.clear.value = 0
    await clock(dut)


@cocotb.test()
async def regions_are_written(dut: Any) -> None:
    rng = random.Random(18)
    await start(dut)
    memory = AxiRamWrite(AxiWriteBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=SIZE)
    for channel in (memory.aw_channel, memory.w_channel, memory.b_channel):
        channel.set_pause_generator(pauses(rng))
    wanted = regions(rng)
    expected, stream = bytearray(SIZE), []
    for address, beats in wanted:
        data = rng.randbytes(beats * BEAT)
        expected[address : address + len(data)] = data
        stream += [data[i : i + BEAT] for i in range(0, len(data), BEAT)]
    cocotb.start_soon(offer(dut, wanted))
    while stream:
        dut.data_valid.value = int(rng.random() < 0.7)
        dut.data.value = int.from_bytes(stream[0], "little")
        await ReadOnly()
        if int(dut.data_valid.value) and int(dut.data_ready.value):
            stream.pop(0)
        await clock(dut)
    dut.data_valid.value = 0
    await wait_idle(dut)
    assert memory.read(0, SIZE) == bytes(expected)
    assert not int(dut.error.value)


@cocotb.test()
async def write_errors_are_kept(dut: Any) -> None:
    await start(dut)
    AxiSlaveWrite(AxiWriteBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=Refusing())
    cocotb.start_soon(offer(dut, [(0x100, 3)]))
    dut.data_valid.value = 1
    await wait_idle(dut)
    assert int(dut.error.value) == 1
    await pulse_clear(dut)
    assert int(dut.error.value) == 0


@cocotb.test()
async def the_first_error_names_its_region(dut: Any) -> None:
    """Two regions are good, two fail; the tag is that of the first that did."""
    await start(dut)
    target = Refusing(0x3080)
    AxiSlaveRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=target)
    cocotb.start_soon(offer(dut, [(0x100, 5), (0x2000, 40), (0x3000, 20), (0x4000, 2)]))
    dut.data_ready.value = 1
    for _ in range(300):
        await clock(dut)
    assert int(dut.error.value) and int(dut.error_tag.value) == 0x30


@cocotb.test()
async def held_reads_run_empty(dut: Any) -> None:
    """Nobody takes data; after ``hold`` the bursts under way end and give nothing."""
    await start(dut)
    memory = AxiRamRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=SIZE)
    memory.r_channel.set_pause_generator(pauses(random.Random(3)))
    dut.data_ready.value = 0
    cocotb.start_soon(offer(dut, [(0, 100)]))
    for _ in range(60):
        await clock(dut)
    assert int(dut.quiet.value) == 0 and int(dut.data_valid.value) == 1
    dut.hold.value = 1
    await ReadOnly()
    for _ in range(500):
        assert int(dut.data_valid.value) == 0
        if int(dut.quiet.value):
            break
        await clock(dut)
        await ReadOnly()
    assert int(dut.quiet.value) == 1
    await clock(dut)


@cocotb.test()
async def held_writes_change_nothing(dut: Any) -> None:
    """The source dries up in a burst; after ``hold`` it ends without a byte more."""
    rng = random.Random(4)
    await start(dut)
    memory = AxiRamWrite(AxiWriteBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=SIZE)
    for channel in (memory.aw_channel, memory.w_channel, memory.b_channel):
        channel.set_pause_generator(pauses(rng))
    cocotb.start_soon(offer(dut, [(0, 100)]))
    dut.data.value, given = (1 << 8 * BEAT) - 1, 0
    while given < 21:
        dut.data_valid.value = 1
        await ReadOnly()
        given += int(dut.data_ready.value)
        await clock(dut)
    dut.data_valid.value, dut.hold.value = 0, 1
    for _ in range(500):
        await ReadOnly()
        quiet = int(dut.quiet.value)
        await clock(dut)
        if quiet:
            break
    assert quiet
    assert memory.read(0, SIZE) == b"\xff" * 21 * BEAT + bytes(SIZE - 21 * BEAT)


@cocotb.test()
async def held_bursts_wait(dut: Any) -> None:
    """With ``hold`` set no burst starts; released, the region is read as if nothing had been."""
    await start(dut)
    memory = AxiRamRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=SIZE)
    memory.write(0, bytes(range(BEAT)))
    dut.hold.value = dut.data_ready.value = 1
    cocotb.start_soon(offer(dut, [(0, 1)]))
    for _ in range(20):
        await clock(dut)
        assert int(dut.m_axi_arvalid.value) == 0 and not int(dut.data_valid.value)
    assert int(dut.idle.value) == 0 and int(dut.quiet.value) == 1
    dut.hold.value = 0
    await wait_idle(dut)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_read_master() -> None:
    tests = (
        "regions_are_read",
        "read_errors_are_kept",
        "the_first_error_names_its_region",
        "held_reads_run_empty",
        "held_bursts_wait",
    )
    run_bench(AxiRead(data_bits=8 * BEAT, burst_beats=16, outstanding=4), __name__, tests)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_write_master() -> None:
    tests = ("regions_are_written", "write_errors_are_kept", "held_writes_change_nothing")
    run_bench(AxiWrite(data_bits=8 * BEAT, burst_beats=16, outstanding=4), __name__, tests)


def test_burst_size_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="burst_beats must be a power of two up to 256"):
        BurstSplitter(data_bits=128, burst_beats=512)
