"""AXI4 masters against cocotbext-axi memories: stalls, page crossings."""

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly
from cocotbext.axi import AxiRamRead, AxiRamWrite, AxiReadBus, AxiWriteBus

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.axi_bursts import BurstSplitter
from m3vit.rtl.axi_read import AxiRead
from m3vit.rtl.axi_write import AxiWrite
from tests.rtl.bench.axi import BEAT, SIZE, clock, offer, pauses, wait_idle
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench


def regions(rng: random.Random) -> list[tuple[int, int]]:
    """(address, beats): single beats, pages crossed, several bursts."""
    chosen = [(0, 1), (0xFF0, 2), (0x1000 - 16 * BEAT, 40), (0x40, 300)]
    return chosen + [(BEAT * rng.randrange(2000), rng.randrange(1, 100)) for _ in range(20)]


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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_read_master() -> None:
    master = AxiRead(data_bits=8 * BEAT, burst_beats=16, outstanding=4)
    run_bench(master, __name__, ("regions_are_read",))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_write_master() -> None:
    master = AxiWrite(data_bits=8 * BEAT, burst_beats=16, outstanding=4)
    run_bench(master, __name__, ("regions_are_written",))


def test_burst_size_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="burst_beats must be a power of two up to 256"):
        BurstSplitter(data_bits=128, burst_beats=512)
