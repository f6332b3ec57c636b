"""Tables of the ring, entry by entry: LayerNorm's as packed, GELU's bytes."""

import random
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.layout.tables import pack_gelu, pack_layernorm
from m3vit.hw.machine import machine_preset
from m3vit.hw.quantised import LayerNorm
from m3vit.rtl.loader import Table
from m3vit.rtl.tables import Tables
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import bench_settings, run_bench

FIRST = 0xFFF8
"""Addresses of the ring run over."""


async def tick(dut: Any) -> None:
    await RisingEdge(dut.clk)
    await Timer(1, "ns")


async def load(dut: Any, data: bytes, word: int, **start_with: int) -> dict[str, dict[int, int]]:
    """Answer every word asked for some cycles later; what was written where."""
    rng = random.Random(91)
    written: dict[str, dict[int, int]] = {"norm": {}, "gelu": {}}
    address_at = Table["address"].offset
    bits = Table["address"].width
    for name, value in {"start": 1, "address": FIRST, **start_with}.items():
        getattr(dut, name).value = value
    await tick(dut)
    dut.start.value, wanted, wait = 0, None, 0
    for _ in range(20_000):
        dut.tables__ready.value = int(wanted is None and rng.random() < 0.5)
        gives = wanted is not None and wait == 0
        dut.table_we.value = int(gives)
        if gives:
            at = (wanted - FIRST & 0xFFFF) * word
            dut.table_word.value = int.from_bytes(data[at : at + word].ljust(word, b"\0"), "little")
            wanted = None
        wait = max(0, wait - 1)
        await ReadOnly()
        if int(dut.tables__valid.value) and int(dut.tables__ready.value):
            payload = int(dut.tables__payload.value)
            wanted, wait = payload >> address_at & ((1 << bits) - 1), rng.randrange(1, 8)
        if int(dut.norm_we.value):
            written["norm"][int(dut.norm_channel.value)] = int(dut.norm_entry.value)
        if int(dut.gelu_we.value):
            written["gelu"][int(dut.gelu_wa.value)] = int(dut.gelu_wd.value)
        busy = int(dut.busy.value)
        await tick(dut)
        if not busy:
            return written
    raise AssertionError("the tables were not read")


@cocotb.test()
async def tables_arrive(dut: Any) -> None:
    machine, rng = machine_preset(bench_settings()["machine"]), np.random.default_rng(92)
    for name in ("start", "gelu", "address", "channels", "table_we", "table_word"):
        getattr(dut, name).value = 0
    dut.tables__ready.value = 0
    await start(dut)
    for width in (32, 96, machine.max_width):
        table = LayerNorm(
            gamma=rng.integers(-(1 << 15), 1 << 15, width).astype(np.int16),
            beta=rng.integers(-(1 << 31), 1 << 31, width).astype(np.int32),
            shift=17,
            epsilon=1,
        )
        got = await load(dut, pack_layernorm(table), machine.word_bytes, gelu=0, channels=width)
        entries = [
            int(g) & 0xFFFF | (int(b) & 0xFFFFFFFF) << 16
            for g, b in zip(table.gamma, table.beta, strict=True)
        ]
        want = {c: entries[c] | entries[c + 1] << 48 for c in range(0, width, 2)}
        assert got["norm"] == want and not got["gelu"]
    gelu = rng.integers(-128, 128, (2, 256)).astype(np.int8)
    got = await load(dut, pack_gelu(gelu), machine.word_bytes, gelu=1)
    assert got["gelu"] == {i: int(v) & 0xFF for i, v in enumerate(gelu.reshape(-1))}
    assert not got["norm"]


@pytest.mark.parametrize("name", ["mini", "zcu104"])
def test_tables(name: str) -> None:
    run_bench(Tables(machine_preset(name)), __name__, ("tables_arrive",), machine=name)
