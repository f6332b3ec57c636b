"""Matrix group against numpy: random and extreme operands, tiles replaced without a bubble."""

import cocotb
import numpy as np
import pytest
from numpy.typing import NDArray

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.column import Column
from m3vit.rtl.group import Group
from tests.rtl.bench.player import pack, play, start, unpack
from tests.rtl.bench.runner import bench_settings, run_bench

PASS = 8
"""Pairs a pass: the shortest without a gap."""


def operands(shape: tuple[int, ...], low: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random values in [low, 127]; a third of the leading index at the extremes."""
    values = rng.integers(low, 128, shape)
    kind = rng.integers(0, 6, shape[0])
    values[kind == 0] = low
    values[kind == 1] = 127
    return values


def load_words(tiles: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tiles [n, chains, 8, columns] back to back: one-hot [n * 8], w [n * 8, C * chains]."""
    count, chains, steps, columns = tiles.shape
    words = tiles.transpose(0, 2, 3, 1).reshape(count * steps, columns * chains)
    return np.tile(1 << np.arange(steps), count), words


@cocotb.test()
async def tiles_back_to_back(dut: object) -> None:
    """A new tile every 8 pairs; ``lead``: cycles from a tile's step 0 to its swap."""
    rows, columns = bench_settings()["rows"], bench_settings()["columns"]
    rng = np.random.default_rng(rows)
    passes, chains = 60, rows // 8
    tiles = operands((passes, chains, 8, columns), -127, rng)
    pairs = operands((2, passes * PASS, rows), -128, rng)
    onehot, words = load_words(tiles)
    lead = bench_settings()["lead"]
    idle = np.zeros((lead, rows), np.int64)
    swap = np.tile([1] + [0] * (PASS - 1), passes)
    stimuli = {
        "load": pack(onehot, 8),
        "w": pack(words, 8),
        "swap": pack(np.concatenate([np.zeros(lead, np.int64), swap]), 1),
        "a0": pack(np.concatenate([idle, pairs[0]]), 8),
        "a1": pack(np.concatenate([idle, pairs[1]]), 8),
    }
    await start(dut)
    group = Group(rows=rows, columns=columns)
    seen = await play(dut, stimuli, ["s"], extra=group.LATENCY)
    got = unpack(seen["s"], group.sum_bits, 2 * columns)[lead + group.LATENCY :][: passes * PASS]
    matrices = tiles.reshape(passes, rows, columns)
    streams = pairs.reshape(2, passes, PASS, rows)
    want = np.einsum("mpir,prc->pimc", streams, matrices).reshape(passes * PASS, 2 * columns)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("lead", [0, 7], ids=["earliest swap", "earliest step"])
@pytest.mark.parametrize("rows, columns", [(8, 3), (16, 2), (32, 2)])
def test_group_equals_numpy(rows: int, columns: int, lead: int) -> None:
    group = Group(rows=rows, columns=columns)
    settings = {"rows": rows, "columns": columns, "lead": lead}
    run_bench(group, __name__, ("tiles_back_to_back",), **settings)


def test_rows_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="rows must be 8, 16, 32 or 64, not 12"):
        Column(12)
