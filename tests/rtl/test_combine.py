"""Contributions into the residual against golden: stalls, same tokens in a row, saturation."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.golden.expert import weigh
from m3vit.hw.golden.residual import add
from m3vit.rtl.combine import Combine
from m3vit.rtl.fifo import Fifo
from m3vit.rtl.weigh import ONE
from tests.rtl.bench.player import pack, start
from tests.rtl.bench.runner import bench_settings, run_bench

TOKENS, PANELS, PAIRS = 9, 2, 200


class Job:
    """One queued pair and what golden makes of it."""

    def __init__(self, groups: int, columns: int, rng: np.random.Generator) -> None:
        self.tokens = rng.choice(TOKENS, 2, replace=False)
        self.present = [1, int(rng.integers(0, 4) > 0)]
        self.panel = int(rng.integers(0, PANELS))
        weighted = bool(rng.integers(0, 2))
        self.guard = int(rng.integers(0, 8)) if weighted else 0
        self.weight = rng.choice([0, 1, 65535, 40000], 2) if weighted else np.array([ONE, ONE])
        self.y = rng.integers(-(1 << 17), 1 << 17, (2, groups * columns))
        self.y[rng.random(self.y.shape) < 0.1] = -(1 << 17)

    def word(self, groups: int, columns: int) -> int:
        """The queue's payload."""
        fields = [
            (pack(self.tokens[None], 12)[0], 24),
            (self.present[0] | self.present[1] << 1, 2),
            (pack(self.weight[None], 17)[0], 34),
            (self.guard, 3),
            (self.panel * groups, 7),
            (pack(self.y.reshape(1, -1), 18)[0], 2 * groups * columns * 18),
        ]
        value = place = 0
        for field, bits in fields:
            value, place = value | field << place, place + bits
        return value

    def apply(self, residual: np.ndarray, columns: int) -> int:
        """Add to residual [TOKENS, PANELS * groups * columns]; returns saturations."""
        total, size = 0, self.y.shape[1]
        own = slice(self.panel * size, (self.panel + 1) * size)
        for member in range(2):
            if self.present[member]:
                y = self.y[member][None].astype(np.int32)
                unit = self.weight[member] == ONE and self.guard == 0
                term = y if unit else weigh(y, self.weight[member : member + 1], self.guard)
                token = self.tokens[member]
                residual[token, own], count = add(residual[token, own], term[0])
                total += count
        return total


class Store:
    """Residual words behind the read and write ports, with a fixed read latency."""

    def __init__(self, residual: np.ndarray, columns: int, latency: int) -> None:
        self.words = residual.reshape(len(residual), -1, columns).copy()
        self.bits, self.pending = columns * 18, [0] * (latency - 1)

    def cycle(self, dut: object) -> int:
        """Serve this cycle's ports; returns the read data of the next cycle."""
        read = write = 0
        for member in range(2):
            if int(dut.read_enable.value) >> member & 1:
                token, word = self._where(dut.read_token, dut.read_word, member)
                read |= pack(self.words[token, word][None], 18)[0] << (member * self.bits)
        for member in range(2):
            if int(dut.write_enable.value) >> member & 1:
                token, word = self._where(dut.write_token, dut.write_word, member)
                value = int(dut.write_data.value) >> (member * self.bits)
                lanes = [(value >> (18 * i)) & 0x3FFFF for i in range(self.words.shape[2])]
                self.words[token, word] = [v - (1 << 18) if v >> 17 else v for v in lanes]
                write += 1
        self.pending.append(read)
        return self.pending.pop(0)

    @staticmethod
    def _where(token: object, word: object, member: int) -> tuple[int, int]:
        return (
            int(token.value) >> (12 * member) & 0xFFF,
            int(word.value) >> (7 * member) & 0x7F,
        )


@cocotb.test()
async def pairs_with_stalls(dut: object) -> None:
    settings = bench_settings()
    groups, columns, latency = settings["groups"], settings["columns"], settings["latency"]
    rng = np.random.default_rng(11)
    jobs = [Job(groups, columns, rng) for _ in range(PAIRS)]
    residual = rng.integers(-(1 << 17), 1 << 17, (TOKENS, PANELS * groups * columns))
    store = Store(residual, columns, latency)
    saturated = sum(job.apply(residual, columns) for job in jobs)
    await start(dut)
    waiting = list(jobs)
    for _ in range(20 * PAIRS):
        dut.grant.value = int(rng.integers(0, 4) > 0)
        offer = bool(waiting) and rng.integers(0, 3) > 0
        dut.w_valid.value = int(offer)
        dut.w_data.value = waiting[0].word(groups, columns) if offer else 0
        await ReadOnly()
        if offer and int(dut.w_ready.value):
            waiting.pop(0)
        data, done = store.cycle(dut), int(dut.done.value)
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        dut.read_data.value = data
        if done == PAIRS:
            break
    assert done == PAIRS
    np.testing.assert_array_equal(store.words.reshape(TOKENS, -1), residual)
    assert int(dut.saturations.value) == saturated > 0


@cocotb.test()
async def words_in_order(dut: object) -> None:
    rng = np.random.default_rng(12)
    sent, got, depth = [], [], bench_settings()["depth"]
    await start(dut)
    for cycle in range(2000):
        busy = (cycle // 100) % 3
        value = int(rng.integers(0, 256))
        dut.w_valid.value, dut.w_data.value = int(rng.integers(0, 3) >= busy), value
        dut.r_ready.value = int(rng.integers(0, 3) >= 2 - busy)
        await ReadOnly()
        assert int(dut.level.value) == len(sent) - len(got) <= depth
        if int(dut.w_valid.value) and int(dut.w_ready.value):
            sent.append(value)
        if int(dut.r_valid.value) and int(dut.r_ready.value):
            got.append(int(dut.r_data.value))
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
    assert got == sent[: len(got)] and len(got) > 500


@pytest.mark.parametrize("groups, columns, latency", [(3, 2, 2), (1, 4, 3)])
def test_combine_equals_golden(groups: int, columns: int, latency: int) -> None:
    block = Combine(groups=groups, columns=columns, depth=8, read_latency=latency)
    settings = {"groups": groups, "columns": columns, "latency": latency}
    run_bench(block, __name__, ("pairs_with_stalls",), **settings)


def test_fifo_keeps_the_order() -> None:
    run_bench(Fifo(width=8, depth=4), __name__, ("words_in_order",), depth=4)


def test_sizes_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="fifo: depth must be a power of two from 2"):
        Fifo(width=8, depth=6)
    with pytest.raises(ConfigurationError, match="combine: read_latency must be 1 to 7, not 9"):
        Combine(groups=1, columns=4, depth=8, read_latency=9)
