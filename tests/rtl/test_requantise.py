"""Requantisation, score and GELU lanes against golden over extreme operands and every shift."""

import cocotb
import numpy as np
import pytest

from m3vit.hw.golden.gelu import gelu
from m3vit.hw.golden.requantise import requantise8, requantise18
from m3vit.hw.golden.rounding import rshift, saturate
from m3vit.rtl.accumulator import ACCUMULATOR_BITS
from m3vit.rtl.gelu import Gelu
from m3vit.rtl.requantise import SHIFT_BITS, Requantise
from m3vit.rtl.scores import Scores
from m3vit.rtl.shift_saturate import Range
from tests.rtl.bench.player import pack, play, start, unpack
from tests.rtl.bench.runner import bench_settings, run_bench

CYCLES = 3000
EDGES = np.array([0, 1, -1, 127, 128, -127, -128, -129, (1 << 26) - 1, 1 - (1 << 26)])


def accumulators(lanes: int, rng: np.random.Generator) -> np.ndarray:
    """[CYCLES, lanes] of every magnitude, and the edges."""
    values = rng.integers(1 - (1 << 26), 1 << 26, (CYCLES, lanes)) >> rng.integers(
        0, 26, (CYCLES, lanes)
    )
    edge = rng.random((CYCLES, lanes)) < 0.2
    values[edge] = rng.choice(EDGES, edge.sum())
    return values


def requantised(acc: np.ndarray, factor: np.ndarray, shift: int, clamp: int) -> np.ndarray:
    """One value by golden."""
    if clamp == Range.WIDE.value:
        return requantise18(acc, factor, shift)
    lowest = -127 if clamp == Range.INT8_SYMMETRIC.value else -128
    return requantise8(acc, factor, shift, lowest).astype(np.int64)


@cocotb.test()
async def every_shift_and_range(dut: object) -> None:
    columns = bench_settings()["columns"]
    rng = np.random.default_rng(2)
    acc = accumulators(2 * columns, rng)
    factor = rng.choice([0, 1, 32768, 65535, *rng.integers(0, 65536, 12)], (CYCLES, columns))
    row_factor = rng.integers(0, 65536, (CYCLES, 2))
    shift = rng.integers(1, 41, (CYCLES, 2))
    rows, clamp = rng.integers(0, 2, CYCLES), rng.integers(0, 3, CYCLES)
    stimuli = {
        "acc": pack(acc, ACCUMULATOR_BITS),
        "factor": pack(factor, 16),
        "row_factor": pack(row_factor, 16),
        "rows": pack(rows, 1),
        "shift": pack(shift, SHIFT_BITS),
        "range": pack(clamp, 2),
    }
    await start(dut)
    seen = await play(dut, stimuli, ["y"], extra=Requantise.LATENCY)
    got = unpack(seen["y"][Requantise.LATENCY :], 18, 2 * columns)
    both = np.where(rows[:, None] == 1, np.repeat(row_factor, columns, 1), np.tile(factor, 2))
    amount = np.repeat(shift, columns, 1)
    want = np.empty_like(acc)
    for kind in range(3):
        for count in range(1, 41):
            chosen = (clamp[:, None] == kind) & (amount == count)
            want[chosen] = requantised(acc[chosen], both[chosen].astype(np.uint16), count, kind)
    np.testing.assert_array_equal(got, want)


@cocotb.test()
async def every_score_shift(dut: object) -> None:
    columns = bench_settings()["columns"]
    rng = np.random.default_rng(3)
    acc, shift = accumulators(2 * columns, rng), rng.integers(0, 16, CYCLES)
    await start(dut)
    stimuli = {"acc": pack(acc, ACCUMULATOR_BITS), "shift": pack(shift, 4)}
    seen = await play(dut, stimuli, ["y"], extra=Scores.LATENCY)
    got = unpack(seen["y"][Scores.LATENCY :], 10, 2 * columns)
    np.testing.assert_array_equal(got, saturate(rshift(acc, shift[:, None]), 10))


@cocotb.test()
async def tables_reloaded(dut: object) -> None:
    """Both classes over all codes; other tables take the place of the first ones."""
    columns = bench_settings()["columns"]
    rng = np.random.default_rng(4)
    await start(dut)
    for _ in range(2):
        table = rng.integers(-128, 128, (2, 256)).astype(np.int8)
        load = {"we": [1] * 512, "wa": list(range(512)), "wd": pack(table.reshape(-1), 8)}
        await play(dut, load, ["y"])
        x = rng.integers(-128, 128, (600, 2 * columns))
        kind = rng.integers(0, 2, (600, columns))
        stimuli = {"we": [0], "x": pack(x, 8), "kind": pack(kind, 1)}
        seen = await play(dut, stimuli, ["y"], extra=Gelu.LATENCY)
        want = gelu(x.astype(np.int8), np.tile(kind, 2).astype(np.uint8), table)
        np.testing.assert_array_equal(unpack(seen["y"][Gelu.LATENCY :], 8, 2 * columns), want)


@pytest.mark.parametrize("columns", [1, 3])
def test_requantise_equals_golden(columns: int) -> None:
    run_bench(Requantise(columns), __name__, ("every_shift_and_range",), columns=columns)


def test_scores_equal_golden() -> None:
    run_bench(Scores(2), __name__, ("every_score_shift",), columns=2)


def test_gelu_equals_golden() -> None:
    run_bench(Gelu(2), __name__, ("tables_reloaded",), columns=2)
