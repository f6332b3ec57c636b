"""Slices: regions over three AXI ports of random speed come out whole and in order."""

import itertools
import random
from typing import Any

import cocotb
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from cocotbext.axi import AxiRamRead, AxiReadBus

from m3vit.rtl.axi_bursts import ADDRESS_BITS, LENGTH_BITS
from m3vit.rtl.axi_read import TAG_BITS, AxiRead, read_ports
from m3vit.rtl.ring import BEAT_BYTES
from m3vit.rtl.slices import PORT_BITS, Slices
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench

PORTS = 4
SIZE = 1 << 16


class Striped(Component):
    """Slices with their read masters."""

    def __init__(self) -> None:
        ports: dict[str, Any] = {}
        for number in range(PORTS):
            for name, member in read_ports(PORT_BITS).items():
                ports[name.replace("m_axi", f"m{number}_axi")] = member
        super().__init__(
            {
                **ports,
                "valid": In(1),
                "ready": Out(1),
                "address": In(ADDRESS_BITS),
                "words": In(LENGTH_BITS),
                "tag": In(TAG_BITS),
                "error_tags": Out(PORTS * TAG_BITS),
                "out": Out(stream.Signature(8 * BEAT_BYTES)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.slices = slices = Slices(PORTS)
        for name in ("valid", "address", "words", "tag"):
            m.d.comb += getattr(slices, name).eq(getattr(self, name))
        m.d.comb += [
            self.ready.eq(slices.ready),
            self.out.valid.eq(slices.out.valid),
            self.out.payload.eq(slices.out.payload),
            slices.out.ready.eq(self.out.ready),
        ]
        for number in range(PORTS):
            port = AxiRead(data_bits=PORT_BITS)
            m.submodules[f"read{number}"] = port
            for name, member in read_ports(PORT_BITS).items():
                mine = getattr(self, name.replace("m_axi", f"m{number}_axi"))
                its = getattr(port, name)
                m.d.comb += its.eq(mine) if member.flow == In else mine.eq(its)
            for name in ("valid", "address", "beats", "tag", "data_ready"):
                m.d.comb += getattr(port, name).eq(getattr(slices, f"{name}{number}"))
            for name in ("ready", "data_valid", "data"):
                m.d.comb += getattr(slices, f"{name}{number}").eq(getattr(port, name))
            own = self.error_tags.word_select(number, TAG_BITS)
            m.d.comb += own.eq(port.error_tag)
        return m


async def tick(dut: Any) -> None:
    await RisingEdge(dut.clk)
    await Timer(1, "ns")


def regions(rng: random.Random) -> list[tuple[int, int]]:
    """(address, words): one word, a slice and a bit, across pages, many slices."""
    chosen = [(0, 1), (0x3C0, 2), (0x400, 16), (0xFC0, 17), (0x40, 200)]
    for _ in range(15):
        words = rng.randrange(1, 90)
        chosen.append((BEAT_BYTES * rng.randrange(SIZE // BEAT_BYTES - words), words))
    return chosen


async def offer(dut: Any, wanted: list[tuple[int, int]]) -> None:
    for address, words in wanted:
        dut.valid.value, dut.address.value, dut.words.value = 1, address, words
        while True:
            await ReadOnly()
            taken = int(dut.ready.value)
            await tick(dut)
            if taken:
                break
    dut.valid.value = 0


async def streams(dut: Any, share: float) -> float:
    """All regions with ports that pause; returns the beats of 16 bytes a cycle."""
    rng = random.Random(50)
    dut.valid.value = dut.out__ready.value = dut.tag.value = 0
    await start(dut)
    content = rng.randbytes(SIZE)
    for number in range(PORTS):
        bus = AxiReadBus.from_prefix(dut, f"m{number}_axi")
        port = AxiRamRead(bus, dut.clk, dut.rst, size=SIZE)
        port.write(0, content)
        pace = random.Random(number)
        if share:
            for channel in (port.ar_channel, port.r_channel):
                channel.set_pause_generator(
                    pace.random() < share * number for _ in itertools.count()
                )
    wanted = regions(rng)
    cocotb.start_soon(offer(dut, wanted))
    expected = b"".join(content[at : at + BEAT_BYTES * words] for at, words in wanted)
    got, cycles = b"", 0
    while len(got) < len(expected):
        dut.out__ready.value = int(rng.random() >= share)
        await ReadOnly()
        if int(dut.out__valid.value) and int(dut.out__ready.value):
            got += int(dut.out__payload.value).to_bytes(BEAT_BYTES, "little")
        cycles += 1
        assert cycles < 40_000, f"{len(got)} of {len(expected)} bytes came"
        await tick(dut)
    assert got == expected
    return 8 * len(expected) / PORT_BITS / cycles


@cocotb.test()
async def regions_come_in_order(dut: Any) -> None:
    await streams(dut, 0.25)


@cocotb.test()
async def ports_work_at_once(dut: Any) -> None:
    """Free memories: the four bring more than two of them could."""
    assert await streams(dut, 0) > 2


def test_slices() -> None:
    run_bench(Striped(), __name__, ("regions_come_in_order", "ports_work_at_once"))
