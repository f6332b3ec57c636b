"""Accumulators against numpy over interleaved addresses at the shortest revisit distance."""

import cocotb
import numpy as np
import pytest

from m3vit.rtl.accumulator import ACCUMULATOR_BITS, Accumulator
from tests.rtl.bench.player import pack, play, start, unpack
from tests.rtl.bench.runner import bench_settings, run_bench


def reference(
    address: np.ndarray, first: np.ndarray, sums: np.ndarray, initial: np.ndarray, pairs: int
) -> np.ndarray:
    """Accumulators after every cycle, [cycles, 2 * columns]."""
    store = np.zeros((pairs, sums.shape[1]), np.int64)
    result = np.empty_like(sums)
    for cycle, index in enumerate(address):
        old = np.tile(initial[cycle], 2) if first[cycle] else store[index]
        result[cycle] = store[index] = old + sums[cycle]
    return result


@cocotb.test()
async def passes_of_any_length(dut: object) -> None:
    settings = bench_settings()
    columns, pairs, bits = settings["columns"], settings["pairs"], settings["sum_bits"]
    rng = np.random.default_rng(1)
    lengths = rng.integers(Accumulator.REVISIT, pairs + 1, 40)
    address = np.concatenate([np.tile(np.arange(n), 5) for n in lengths])
    first = np.concatenate([np.repeat([1, 0, 0, 0, 0], n) for n in lengths])
    limit = 1 << (bits - 1)
    sums = rng.integers(-limit, limit, (len(address), 2 * columns))
    sums[rng.random(len(address)) < 0.2] = -limit
    initial = rng.integers(-(1 << 25), 1 << 25, (len(address), columns))
    stimuli = {
        "address": pack(address, 8),
        "first": pack(first, 1),
        "enable": [1] * len(address),
        "sum": pack(sums, bits),
        "initial": pack(initial, ACCUMULATOR_BITS),
    }
    await start(dut)
    seen = await play(dut, stimuli, ["acc"], extra=Accumulator.LATENCY)
    got = unpack(seen["acc"][Accumulator.LATENCY :], ACCUMULATOR_BITS, 2 * columns)
    np.testing.assert_array_equal(got, reference(address, first, sums, initial, pairs))


@pytest.mark.parametrize("columns, pairs, sum_bits", [(2, 8, 18), (3, 64, 20)])
def test_accumulator_equals_numpy(columns: int, pairs: int, sum_bits: int) -> None:
    block = Accumulator(columns=columns, sum_bits=sum_bits, pairs=pairs)
    settings = {"columns": columns, "pairs": pairs, "sum_bits": sum_bits}
    run_bench(block, __name__, ("passes_of_any_length",), **settings)
