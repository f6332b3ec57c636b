"""Contributions: gate scores, saturating addition, and the queue, against golden."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.golden.expert import weigh
from m3vit.hw.golden.residual import add
from m3vit.rtl.fifo import Fifo
from m3vit.rtl.residual import ResidualAdd
from m3vit.rtl.weigh import ONE, Weigh
from tests.rtl.bench.player import pack, play, start, unpack
from tests.rtl.bench.runner import bench_settings, run_bench

CYCLES, SIZE, LIMIT = 2000, 3, 1 << 17


def codes(rng: np.random.Generator) -> np.ndarray:
    """int18 [CYCLES, SIZE], a quarter at the limits."""
    values = rng.integers(-LIMIT, LIMIT, (CYCLES, SIZE))
    edge = rng.random(values.shape) < 0.25
    values[edge] = rng.choice([-LIMIT, LIMIT - 1], edge.sum())
    return values


@cocotb.test()
async def weighted_outputs(dut: object) -> None:
    """Every g; the weight 2^16 with g = 0 leaves the output as it is."""
    rng = np.random.default_rng(23)
    y, guard = codes(rng), rng.integers(0, 8, CYCLES)
    w = rng.choice([0, 1, 32768, 65535, *rng.integers(0, 65536, 9)], CYCLES)
    whole = rng.random(CYCLES) < 0.2
    w[whole], guard[whole] = ONE, 0
    await start(dut)
    stimuli = {"y": pack(y, 18), "w": pack(w, 17), "guard": pack(guard, 3)}
    seen = await play(dut, stimuli, ["term"], extra=Weigh.LATENCY)
    got = unpack(seen["term"][Weigh.LATENCY :], 18, SIZE)
    want = y.copy()
    for bits in range(8):
        own = ~whole & (guard == bits)
        want[own] = weigh(y[own].astype(np.int32), w[own].astype(np.uint16), bits)
    np.testing.assert_array_equal(got, want)


@cocotb.test()
async def saturating_sums(dut: object) -> None:
    rng = np.random.default_rng(24)
    old, term = codes(rng), codes(rng)
    enable = rng.integers(0, 2, CYCLES)
    await start(dut)
    stimuli = {"old": pack(old, 18), "term": pack(term, 18), "enable": pack(enable, 1)}
    late = ResidualAdd.LATENCY
    seen = await play(dut, stimuli, ["y", "saturated"], extra=late + 1)
    want, _ = add(old.astype(np.int32), term.astype(np.int32))
    np.testing.assert_array_equal(unpack(seen["y"][late:-1], 18, SIZE), want)
    counts = (want != old + term).sum(axis=1) * enable
    np.testing.assert_array_equal(seen["saturated"][late + 1 :], counts)
    assert counts.sum() > 100


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


def test_weigh_equals_golden() -> None:
    run_bench(Weigh(SIZE), __name__, ("weighted_outputs",))


def test_residual_equals_golden() -> None:
    run_bench(ResidualAdd(SIZE), __name__, ("saturating_sums",))


def test_fifo_keeps_the_order() -> None:
    run_bench(Fifo(width=8, depth=4), __name__, ("words_in_order",), depth=4)


def test_depth_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="fifo: depth must be a power of two from 2"):
        Fifo(width=8, depth=6)
