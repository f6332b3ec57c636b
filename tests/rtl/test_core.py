"""Nests and engine: single layers and attention against golden."""

from collections.abc import Mapping
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from numpy.typing import NDArray

from m3vit.hw.golden.attention import attend
from m3vit.hw.golden.linear import linear8, linear18
from m3vit.hw.golden.residual import add
from m3vit.hw.layout.panels import head_columns, natural_columns, pack
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.hw.quantised import Linear
from m3vit.rtl.core import Core
from m3vit.rtl.passes import AttentionJob, GemmJob, Post, Source, Wait
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import bench_settings, run_bench, verilator_only

UNIT = 64


def layer(rng: np.random.Generator, outputs: int, inner: int, shift: int = 18) -> Linear:
    return Linear(
        weight=rng.integers(-127, 128, (outputs, inner)).astype(np.int8),
        bias=rng.integers(-20000, 20000, outputs).astype(np.int32),
        factor=rng.integers(1, 400, outputs).astype(np.uint16),
        shift=shift,
    )


class Bench:
    """Stores as arrays, jobs as dictionaries."""

    def __init__(self, dut: Any, machine: MachineConfig, tokens: int) -> None:
        self.dut, self.machine, self.tokens = dut, machine, tokens
        self.pointer, self.saturated = 0, 0
        self.data = b""

    async def tick(self) -> None:
        await RisingEdge(self.dut.clk)
        await Timer(1, "ns")

    async def begin(self) -> None:
        for name in ("gemm__valid", "attention__valid", "tables__valid", "beats__valid"):
            getattr(self.dut, name).value = 0
        for name in ("xn_enable", "qoh_enable", "xn_write", "res_read", "res_write", "gelu_we"):
            getattr(self.dut, name).value = 0
        self.dut.gate__ready.value = 0
        self.dut.publish_clear.value = 0
        self.dut.entry.value = 0
        self.dut.xn_tokens.value = self.tokens
        self.dut.tokens.value = self.tokens
        self.dut.half_tokens.value = -(-self.tokens // 2)
        await start(self.dut)

    async def feed(self) -> None:
        """The stream of weights, whenever the ring takes it."""
        for at in range(0, len(self.data), UNIT):
            chunk = self.data[at : at + UNIT].ljust(UNIT, b"\0")
            self.dut.beats__payload.value = int.from_bytes(chunk, "little")
            self.dut.beats__valid.value = 1
            await self._taken(self.dut.beats__ready)
        self.dut.beats__valid.value = 0

    async def _taken(self, ready: Any) -> None:
        while True:
            await ReadOnly()
            taken = int(ready.value)
            await self.tick()
            if taken:
                return

    def stream(self, data: bytes) -> int:
        """Append a region to the stream; its first ring word."""
        unit, word = self.machine.stream_unit, self.machine.word_bytes
        address = len(self.data) // word
        self.data += data + bytes(-len(data) % unit)
        return address & 0xFFFF

    async def job(self, kind: str, layout: Any, fields: Mapping[str, Any]) -> None:
        names = list(layout.members)
        values = {
            name: int(getattr(fields.get(name, 0), "value", fields.get(name, 0))) for name in names
        }
        getattr(self.dut, f"{kind}__payload").value = layout.const(values).as_value().value
        valid = getattr(self.dut, f"{kind}__valid")
        valid.value = 1
        await self._taken(getattr(self.dut, f"{kind}__ready"))
        valid.value = 0

    async def idle(self, limit: int = 20000) -> int:
        for cycle in range(limit):
            await ReadOnly()
            done = int(self.dut.idle.value)
            self.saturated += int(self.dut.saturated.value)
            await self.tick()
            if done:
                return cycle
        raise AssertionError("the engine did not finish")

    async def write_xn(self, x: NDArray[np.int8]) -> None:
        padded = np.zeros((len(x), -(-x.shape[1] // 32) * 32), np.int8)
        padded[:, : x.shape[1]] = x
        self.dut.xn_write_mask.value = 15
        for token, row in enumerate(padded):
            for word in range(len(row) // 32):
                self.dut.xn_write_bank.value = word % 4
                self.dut.xn_write_row.value = word // 4 * self.tokens + token
                data = row[32 * word : 32 * word + 32].tobytes()
                self.dut.xn_write_data.value = int.from_bytes(data, "little")
                self.dut.xn_write.value = 1
                await self._taken(self.dut.xn_write_ready)
        self.dut.xn_write.value = 0

    async def read_qoh(self, tokens: int, width: int) -> NDArray[np.int8]:
        rows = np.zeros((tokens, -(-width // 32) * 32), np.int8)
        self.dut.qoh_enable.value = 1
        for token in range(tokens):
            for word in range(rows.shape[1] // 32):
                self.dut.qoh_bank.value = word % 4
                self.dut.qoh_row0.value = word // 4 * self.tokens + token
                for _ in range(4):
                    await self.tick()
                data = int(self.dut.qoh_data0.value).to_bytes(32, "little")
                rows[token, 32 * word : 32 * word + 32] = np.frombuffer(data, np.int8)
        self.dut.qoh_enable.value = 0
        return rows[:, :width]

    def place(self, token: int, word: int) -> int:
        half = -(-self.tokens // 2)
        bank = (word + 4 * (token % 2)) % 8
        return bank | ((2 * (word // 8) + token % 2) * half + token // 2) << 3

    async def write_res(self, x: NDArray[np.int32]) -> None:
        self.dut.res_write.value = 1
        for token, row in enumerate(x):
            for word in range(len(row) // 16):
                codes = [int(v) & 0x3FFFF for v in row[16 * word : 16 * word + 16]]
                self.dut.res_write_place.value = self.place(token, word)
                self.dut.res_write_data.value = sum(v << 18 * i for i, v in enumerate(codes))
                await self.tick()
        self.dut.res_write.value = 0

    async def read_res(self, tokens: int, width: int) -> NDArray[np.int64]:
        rows = np.zeros((tokens, width), np.int64)
        self.dut.res_read.value = 1
        for token in range(tokens):
            for word in range(width // 16):
                self.dut.res_read_place.value = self.place(token, word)
                for _ in range(4):
                    await self.tick()
                value = int(self.dut.res_data.value)
                codes = [(value >> 18 * i) & 0x3FFFF for i in range(16)]
                rows[token, 16 * word : 16 * word + 16] = [
                    v - (1 << 18) if v >> 17 else v for v in codes
                ]
        self.dut.res_read.value = 0
        return rows


def linear_job(machine: MachineConfig, tokens: int, size: Linear, **other: Any) -> dict[str, Any]:
    outputs, inner = size.weight.shape
    return {
        "tokens": tokens,
        "block_pairs": machine.normal_block_pairs,
        "steps": -(-inner // machine.rows),
        "panels": -(-outputs // machine.panel),
        "panels_group": 1,
        "source": Source.XN,
        "row_step": tokens,
        "column_step": machine.panel // 16,
        "group_step": machine.columns // 16,
        "limit": outputs // 16,
        "shift": size.shift,
        "wait": Wait.TOKENS,
        **other,
    }


@cocotb.test()
async def hidden_layer(dut: Any) -> None:
    machine, rng = machine_preset(bench_settings()["machine"]), np.random.default_rng(1)
    tokens, width, outputs = 37, 64, 96
    bench = Bench(dut, machine, tokens)
    first = layer(rng, outputs, width)
    x = rng.integers(-128, 128, (tokens, width)).astype(np.int8)
    address = bench.stream(pack(first, natural_columns(machine, outputs), machine))
    await bench.begin()
    await bench.write_xn(x)
    cocotb.start_soon(bench.feed())
    job = linear_job(machine, tokens, first, address=address, post=Post.HIDDEN)
    await bench.job("gemm", GemmJob, job)
    await bench.idle()
    got = await bench.read_qoh(tokens, outputs)
    np.testing.assert_array_equal(got, linear8(x, first))


@cocotb.test()
async def residual_layer(dut: Any) -> None:
    machine, rng = machine_preset(bench_settings()["machine"]), np.random.default_rng(2)
    tokens, width, outputs = 20, 40, 80
    bench = Bench(dut, machine, tokens + 1)
    size = layer(rng, outputs, width, shift=9)
    x = rng.integers(-128, 128, (tokens, width)).astype(np.int8)
    old = rng.integers(-(1 << 17), 1 << 17, (tokens + 1, outputs)).astype(np.int32)
    address = bench.stream(pack(size, natural_columns(machine, outputs), machine))
    await bench.begin()
    await bench.write_xn(x)
    await bench.write_res(old)
    cocotb.start_soon(bench.feed())
    job = linear_job(machine, tokens, size, address=address, post=Post.RESIDUAL)
    job |= {"row_step": tokens + 1, "first_token": 1, "panels_group": 2, "publish": 1}
    await bench.job("gemm", GemmJob, job)
    await bench.idle()
    want, saturated = add(old[1:], linear18(x, size))
    got = await bench.read_res(tokens + 1, outputs)
    np.testing.assert_array_equal(got, np.concatenate([old[:1], want]))
    assert bench.saturated == saturated > 0
    assert int(dut.published.value) == tokens + 1


@cocotb.test()
async def attention_of_three_heads(dut: Any) -> None:
    machine, rng = machine_preset(bench_settings()["machine"]), np.random.default_rng(3)
    tokens, width, dim = 37, 96, 32
    bench = Bench(dut, machine, tokens)
    x = rng.integers(-128, 128, (tokens, width)).astype(np.int8)
    layers = [layer(rng, 3 * dim, width, 19) for _ in range(3)]
    columns = head_columns(machine, 0, 3, dim)
    address = bench.stream(b"".join(pack(each, columns, machine) for each in layers))
    shifts, gains, falls = [8, 9, 10], [40000, 32768, 65535], [0, 1, 2]
    await bench.begin()
    dut.score_shift.value = sum(v << 4 * i for i, v in enumerate(shifts))
    dut.gain.value = sum(v << 16 * i for i, v in enumerate(gains))
    dut.gain_shift.value = sum(v << 3 * i for i, v in enumerate(falls))
    dut.query_steps.value = -(-dim // machine.rows)
    dut.value_columns.value = dim // machine.columns
    await bench.write_xn(x)
    cocotb.start_soon(bench.feed())
    job = linear_job(machine, tokens, layers[0], address=address)
    panels = dim // machine.columns
    job |= {
        "panels": 3 * panels,
        "panels_group": 3 * panels,
        "thirds": panels,
        "column_step": machine.columns // 16,
        "group_step": dim // 16,
        "limit": 3 * dim // 16,
        "shift_key": 19,
        "shift_query": 19,
    }
    await bench.job("gemm", GemmJob, job)
    attention = {
        "tokens": tokens,
        "block_pairs": min(10, machine.attention_pairs(tokens)),
        "key_tiles": -(-tokens // machine.columns),
        "query_steps": -(-dim // machine.rows),
        "value_tiles": -(-tokens // machine.rows),
        "value_columns": panels,
        "column": 0,
        "group_step": dim // 16,
        "limit": 3 * dim // 16,
        "units": dim // 16,
    }
    await bench.job("attention", AttentionJob, attention)
    await bench.idle()
    got = await bench.read_qoh(tokens, 3 * dim)
    v, k, q = (linear8(x, each, low) for each, low in zip(layers, (-127, -127, -128), strict=True))
    for head in range(3):
        own = slice(head * dim, (head + 1) * dim)
        want = attend(q[:, own], k[:, own], v[:, own], shifts[head], gains[head], falls[head])
        np.testing.assert_array_equal(got[:, own], want, err_msg=f"head {head}")


TESTS = ("hidden_layer", "residual_layer", "attention_of_three_heads")


@verilator_only("too large for Icarus Verilog")
@pytest.mark.parametrize("name", ["mini"])
def test_core_equals_golden(name: str) -> None:
    run_bench(Core(machine_preset(name)), __name__, TESTS, machine=name)
