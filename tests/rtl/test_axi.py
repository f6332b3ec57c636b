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
    """A target that fails every access."""

    async def read(self, *_: Any, **__: Any) -> bytes:
        raise RuntimeError("refused")

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
    tests = ("regions_are_read", "read_errors_are_kept", "held_bursts_wait")
    run_bench(AxiRead(data_bits=8 * BEAT, burst_beats=16, outstanding=4), __name__, tests)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_write_master() -> None:
    tests = ("regions_are_written", "write_errors_are_kept")
    run_bench(AxiWrite(data_bits=8 * BEAT, burst_beats=16, outstanding=4), __name__, tests)


def test_burst_size_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="burst_beats must be a power of two up to 256"):
        BurstSplitter(data_bits=128, burst_beats=512)
