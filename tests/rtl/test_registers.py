"""The register bank over AXI4-Lite with stalls: table, pulses, strobes, clears, counters."""

import itertools
import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from m3vit.hw.machine import machine_preset
from m3vit.hw.register_fields import Access
from m3vit.hw.registers import BY_NAME, COUNTERS, REGISTERS, identity_values
from m3vit.rtl.registers import Registers
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench

MACHINE = machine_preset("mini")


async def connect(dut: Any, stalls: bool = True) -> AxiLiteMaster:
    """A master on the slave's port, its channels pausing at random."""
    await start(dut)
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
    rng = random.Random(16)
    if stalls:
        for channel in (master.write_if.aw_channel, master.write_if.w_channel):
            channel.set_pause_generator(rng.random() < 0.4 for _ in itertools.count())
        for channel in (master.write_if.b_channel, master.read_if.r_channel):
            channel.set_pause_generator(rng.random() < 0.4 for _ in itertools.count())
    return master


async def read(master: AxiLiteMaster, name: str) -> int:
    return int.from_bytes((await master.read(BY_NAME[name].offset, 4)).data, "little")


async def write(master: AxiLiteMaster, name: str, value: int) -> None:
    await master.write(BY_NAME[name].offset, value.to_bytes(4, "little"))


@cocotb.test()
async def identity_and_holes(dut: Any) -> None:
    master = await connect(dut)
    for name, value in identity_values(MACHINE).items():
        await write(master, name, 0xFFFFFFFF)
        assert await read(master, name) == value, name
    taken = {register.offset for register in REGISTERS}
    for offset in [0x034, 0x13C, 0x1FC, 0xFFC]:
        assert offset not in taken
        assert (await master.read(offset, 4)).data == bytes(4)


@cocotb.test()
async def kept_registers(dut: Any) -> None:
    """Every writable register keeps its own value, and byte strobes touch their bytes only."""
    master = await connect(dut)
    kept = [r for r in REGISTERS if r.access is Access.READ_WRITE and not r.fields]
    values = {r.name: (0x01020304 * (i + 1)) & 0xFFFFFFFF for i, r in enumerate(kept)}
    for name, value in values.items():
        await write(master, name, value)
    for name, value in values.items():
        assert await read(master, name) == value
        assert int(getattr(dut, name.lower()).value) == value
    await master.write(BY_NAME["TASK"].offset + 1, b"\xab")
    assert await read(master, "TASK") == (values["TASK"] & ~0xFF00) | 0xAB00


@cocotb.test()
async def pulses_and_status(dut: Any) -> None:
    master = await connect(dut)
    seen = {"start": 0, "soft_reset": 0}

    async def watch() -> None:
        while True:
            await ReadOnly()
            for name in seen:
                seen[name] += int(getattr(dut, f"control_{name}").value)
            await RisingEdge(dut.clk)
            await Timer(1, "ns")

    cocotb.start_soon(watch())
    control = BY_NAME["CONTROL"]
    await write(master, "CONTROL", control.field("START").mask | control.field("TRACE").mask)
    await ClockCycles(dut.clk, 3)
    assert seen == {"start": 1, "soft_reset": 0}
    assert await read(master, "CONTROL") == control.field("TRACE").mask
    await write(master, "CONTROL", control.field("SOFT_RESET").mask)
    await ClockCycles(dut.clk, 3)
    assert seen == {"start": 1, "soft_reset": 1}
    assert int(dut.control_trace.value) == 0
    dut.status_busy.value, dut.status_block.value = 1, 7
    dut.error_code.value = 0x5A
    status = BY_NAME["STATUS"]
    assert await read(master, "STATUS") == status.field("BUSY").mask | status.field("BLOCK").put(7)
    assert await read(master, "ERROR") == 0x5A


@cocotb.test()
async def events_are_cleared_by_ones(dut: Any) -> None:
    master = await connect(dut)
    dut.set_interrupt_status_done.value = dut.set_interrupt_status_error.value = 1
    await RisingEdge(dut.clk)
    await Timer(1, "ns")
    dut.set_interrupt_status_done.value = dut.set_interrupt_status_error.value = 0
    assert await read(master, "INTERRUPT_STATUS") == 3
    await write(master, "INTERRUPT_STATUS", 1)
    assert await read(master, "INTERRUPT_STATUS") == 2


@cocotb.test()
async def counters_are_read_whole(dut: Any) -> None:
    """The high word belongs to the low word read before, though the counter moves on."""
    master = await connect(dut)
    for number, name in enumerate(COUNTERS):
        port = getattr(dut, f"count_{name.lower()}")
        value = 0x1_0000_0001 * (number + 1)
        port.value = value
        low = await read(master, f"COUNT_{name}_LO")
        port.value = (1 << 64) - 1
        high = await read(master, f"COUNT_{name}_HI")
        assert low | high << 32 == value, name


TESTS = (
    "identity_and_holes",
    "kept_registers",
    "pulses_and_status",
    "events_are_cleared_by_ones",
    "counters_are_read_whole",
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_registers_follow_the_table() -> None:
    run_bench(Registers(MACHINE), __name__, TESTS)
