"""The LayerNorm server against golden: tokens published late, a writer without room."""

import random
from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.formats import RESIDUAL_BITS
from m3vit.hw.golden.layernorm import layer_norm, residual_view
from m3vit.hw.machine import machine_preset
from m3vit.hw.quantised import LayerNorm
from m3vit.rtl.norm_server import NormServer
from m3vit.rtl.residual_store import ResidualStore
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench

MACHINE = machine_preset("mini")
Place = tuple[int, int]
INPUTS = (
    *("start", "tokens", "half_tokens", "width16", "epsilon", "shift", "published"),
    *("res_ready", "res_data", "room", "done", "table_we", "table_channel", "table_entry"),
)


def norm(rng: np.random.Generator, width: int) -> LayerNorm:
    return LayerNorm(
        gamma=rng.integers(-(1 << 15), 1 << 15, width).astype(np.int16),
        beta=rng.integers(-(1 << 24), 1 << 24, width).astype(np.int32),
        shift=int(rng.integers(14, 20)),
        epsilon=int(rng.integers(1, 1 << 30)),
    )


def residual(rng: np.random.Generator, tokens: int, width: int) -> np.ndarray:
    """Wide, narrow, constant and saturating rows."""
    most = (1 << 17) - 1
    rows = rng.integers(-most - 1, most + 1, (tokens, width))
    for token in range(tokens):
        kind = token % 4
        if kind == 1:
            rows[token] >>= 10
        if kind == 2 and token % 8 == 2:
            rows[token] = rows[token, 0]
        if kind == 3:
            rows[token, ::2] = most
    return rows.astype(np.int32)


class Bench:
    """RES and the writer of XN around the server."""

    def __init__(self, dut: Any, rng: random.Random, share: float) -> None:
        self.dut, self.rng, self.share = dut, rng, share
        self.res: dict[Place, int] = {}
        self.lanes = MACHINE.layernorm_lanes
        self.y: list[int] = []
        self.reserved = self.read = self.cycles = self.playing = 0
        self.late = deque([0] * ResidualStore.LATENCY)

    def may(self) -> int:
        return int(self.rng.random() >= self.share)

    async def cycle(self) -> bool:
        d = self.dut
        d.res_ready.value, d.room.value = self.may(), self.may()
        d.res_data.value = self.late.popleft()
        await ReadOnly()
        place = int(d.res_place.value)
        taken = int(d.res_read.value) and int(d.res_ready.value)
        self.late.append(self.res[place & 7, place >> 3] if taken else self.rng.getrandbits(288))
        if taken:  # nothing of a token that its writers may still change
            token = self.read // int(d.width16.value)
            assert token < int(d.published.value)
            self.read += 1
        if int(d.reserve.value):
            assert int(d.room.value)
            self.reserved += 1
        if int(d.y_valid.value):
            self.y.append(int(d.y.value))
        self.playing += int(d.playing.value)
        busy = bool(int(d.busy.value))
        self.cycles += busy
        await RisingEdge(d.clk)
        await Timer(1, "ns")
        return busy

    async def load(self, table: LayerNorm) -> None:
        """Two entries a cycle: gamma, beta."""
        d = self.dut
        entries = [
            int(g) & 0xFFFF | (int(b) & 0xFFFFFFFF) << 16
            for g, b in zip(table.gamma, table.beta, strict=True)
        ]
        for channel in range(0, len(entries), 2):
            d.table_we.value, d.table_channel.value = 1, channel
            d.table_entry.value = entries[channel] | entries[channel + 1] << 48
            await self.cycle()
        d.table_we.value = 0

    def fill(self, rows: np.ndarray) -> None:
        tokens, width = rows.shape
        half = -(-tokens // 2)
        for token, word in np.ndindex(tokens, width // 16):
            codes = rows[token, 16 * word : 16 * word + 16] & ((1 << RESIDUAL_BITS) - 1)
            bank = (word + 4 * (token % 2)) % 8
            row = (2 * (word // 8) + token % 2) * half + token // 2
            self.res[bank, row] = sum(int(c) << RESIDUAL_BITS * i for i, c in enumerate(codes))

    def result(self, tokens: int, width: int) -> np.ndarray:
        """What came out, lanes in order."""
        data = b"".join(value.to_bytes(self.lanes, "little") for value in self.y)
        return np.frombuffer(data, np.int8).reshape(tokens, width)


@cocotb.test()
async def tokens_are_normalised(dut: Any) -> None:
    rng = np.random.default_rng(90)
    for signal in INPUTS:
        getattr(dut, signal).value = 0
    await start(dut)
    for tokens, width, share in ((9, 96, 0.0), (12, MACHINE.max_width, 0.3), (5, 32, 0.6)):
        bench = Bench(dut, random.Random(tokens), share)
        rows, table = residual(rng, tokens, width), norm(rng, width)
        bench.fill(rows)
        await bench.load(table)
        dut.tokens.value, dut.half_tokens.value = tokens, -(-tokens // 2)
        dut.width16.value, dut.epsilon.value = width // 16, table.epsilon
        dut.shift.value, dut.published.value, dut.start.value = table.shift, 0, 1
        await bench.cycle()
        dut.start.value, published = 0, 0
        for _ in range(20_000):
            if published < tokens and bench.rng.random() < (0.02 if share else 0.5):
                published += 1
                dut.published.value = published
            assert await bench.cycle()
            if len(bench.y) == tokens * width // bench.lanes:
                break
        else:
            raise AssertionError("the server did not finish")
        await finish(bench)
        assert bench.reserved == tokens
        assert bench.playing == tokens * width // bench.lanes
        want = layer_norm(residual_view(rows), table)
        np.testing.assert_array_equal(bench.result(tokens, width), want)


async def finish(bench: Bench) -> None:
    """Busy until the writer is done, however late."""
    for _ in range(20):
        assert await bench.cycle()
    bench.dut.done.value = 1
    await bench.cycle()
    bench.dut.done.value = 0
    assert not await bench.cycle()


@cocotb.test()
async def tokens_follow_without_a_gap(dut: Any) -> None:
    """With everything there, the lanes never wait between two tokens."""
    for signal in INPUTS:
        getattr(dut, signal).value = 0
    await start(dut)
    tokens, width = 16, 96
    bench = Bench(dut, random.Random(0), 0.0)
    rows = residual(np.random.default_rng(91), tokens, width)
    bench.fill(rows)
    dut.tokens.value, dut.half_tokens.value, dut.width16.value = tokens, tokens // 2, width // 16
    dut.published.value, dut.start.value = tokens, 1
    await bench.cycle()
    dut.start.value = 0
    while not int(dut.playing.value):
        await bench.cycle()
    for _ in range(tokens * width // bench.lanes):
        assert int(dut.playing.value)
        await bench.cycle()
    assert not int(dut.playing.value) and bench.reserved == tokens


def test_norm_server() -> None:
    tests = ("tokens_are_normalised", "tokens_follow_without_a_gap")
    run_bench(NormServer(MACHINE), __name__, tests)
