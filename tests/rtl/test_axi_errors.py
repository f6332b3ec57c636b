"""AXI4 masters when memory refuses, and when they are told to hold."""

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly
from cocotbext.axi import (
    AxiRamRead,
    AxiRamWrite,
    AxiReadBus,
    AxiSlaveRead,
    AxiSlaveWrite,
    AxiWriteBus,
)

from m3vit.rtl.axi_read import AxiRead
from m3vit.rtl.axi_write import AxiWrite
from tests.rtl.bench.axi import BEAT, SIZE, Refusing, clock, offer, pauses, pulse_clear, wait_idle
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench


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
async def every_read_response_but_okay_is_an_error(dut: Any) -> None:
    """EXOKAY, SLVERR and DECERR by hand, one beat each."""
    await start(dut)
    dut.m_axi_arready.value = dut.data_ready.value = dut.m_axi_rlast.value = 1
    for response in (0, 1, 2, 3):
        cocotb.start_soon(offer(dut, [(0x100, 1)]))
        while not int(dut.m_axi_arvalid.value):
            await clock(dut)
        dut.m_axi_rvalid.value, dut.m_axi_rresp.value = 1, response
        while not int(dut.m_axi_rready.value):
            await clock(dut)
        await clock(dut)
        dut.m_axi_rvalid.value = 0
        await clock(dut)
        assert int(dut.error.value) == (response != 0)
        await pulse_clear(dut)


@cocotb.test()
async def every_write_response_but_okay_is_an_error(dut: Any) -> None:
    await start(dut)
    dut.m_axi_awready.value = dut.m_axi_wready.value = dut.data_valid.value = 1
    for response in (0, 1, 2, 3):
        cocotb.start_soon(offer(dut, [(0x100, 1)]))
        while not (int(dut.m_axi_wvalid.value) and int(dut.m_axi_wlast.value)):
            await clock(dut)
        await clock(dut)
        dut.m_axi_bvalid.value, dut.m_axi_bresp.value = 1, response
        await clock(dut)
        dut.m_axi_bvalid.value = 0
        await clock(dut)
        assert int(dut.error.value) == (response != 0)
        await pulse_clear(dut)


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
        "read_errors_are_kept",
        "every_read_response_but_okay_is_an_error",
        "the_first_error_names_its_region",
        "held_reads_run_empty",
        "held_bursts_wait",
    )
    run_bench(AxiRead(data_bits=8 * BEAT, burst_beats=16, outstanding=4), __name__, tests)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_write_master() -> None:
    tests = (
        "write_errors_are_kept",
        "every_write_response_but_okay_is_an_error",
        "held_writes_change_nothing",
    )
    run_bench(AxiWrite(data_bits=8 * BEAT, burst_beats=16, outstanding=4), __name__, tests)
