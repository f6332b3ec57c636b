"""Reciprocals, row maxima, probabilities and row factors against golden."""

import cocotb
import numpy as np
import pytest

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.golden.attention import row_factors
from m3vit.hw.golden.layernorm import reciprocal_root
from m3vit.hw.golden.reciprocal import reciprocal
from m3vit.hw.golden.softmax import probabilities
from m3vit.rtl.reciprocal import Reciprocal, ReciprocalRoot
from m3vit.rtl.rowfactor import RowFactor
from m3vit.rtl.rowmax import RowMaximum
from m3vit.rtl.softmax import Softmax
from tests.rtl.bench.player import pack, play, start, unpack
from tests.rtl.bench.runner import bench_settings, run_bench


def magnitudes(bits: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Integers from 1 below 2^bits, all lengths, powers of two and their neighbours."""
    random = rng.integers(1 << (bits - 1), 1 << bits, count) >> rng.integers(0, bits, count)
    powers = 1 << np.arange(bits)
    return np.clip(np.concatenate([random, powers, powers - 1, powers + 1]), 1, (1 << bits) - 1)


@cocotb.test()
async def inverse(dut: object) -> None:
    bits = bench_settings()["bits"]
    x = magnitudes(bits, 4000, np.random.default_rng(5))
    await start(dut)
    late = Reciprocal(bits).LATENCY
    seen = await play(dut, {"x": [int(v) for v in x]}, ["r", "leading"], extra=late)
    r, leading = reciprocal(x)
    np.testing.assert_array_equal(seen["r"][late:], r)
    np.testing.assert_array_equal(seen["leading"][late:], leading)


@cocotb.test()
async def inverse_root(dut: object) -> None:
    bits = bench_settings()["bits"]
    x = magnitudes(bits, 4000, np.random.default_rng(6))
    await start(dut)
    late = ReciprocalRoot(bits).LATENCY
    seen = await play(dut, {"x": [int(v) for v in x]}, ["y", "half"], extra=late)
    y, half = reciprocal_root(x.astype(np.float64))
    np.testing.assert_array_equal(seen["y"][late:], y)
    np.testing.assert_array_equal(seen["half"][late:], half)


def score_rows(queries: int, keys: int, rng: np.random.Generator) -> np.ndarray:
    """int16 [queries, keys]: flat rows, near ties and the full range."""
    spread = rng.choice([1, 20, 1024], (queries, 1))
    return np.clip(rng.integers(-spread, spread, (queries, keys)), -512, 511).astype(np.int16)


def by_tile(rows: np.ndarray, size: int, fill: int) -> np.ndarray:
    """[2n, keys] as [tiles, n pairs, 2 * size], padded keys holding ``fill``."""
    queries, keys = rows.shape
    tiles = -(-keys // size)
    padded = np.full((queries, tiles * size), fill, np.int64)
    padded[:, :keys] = rows
    split = padded.reshape(queries // 2, 2, tiles, size).transpose(2, 0, 1, 3)
    return split.reshape(tiles, queries // 2, 2 * size)


def existing(keys: int, size: int, pairs: int) -> np.ndarray:
    """Valid bits [tiles * pairs, size]."""
    tiles = -(-keys // size)
    valid = (np.arange(tiles * size) < keys).reshape(tiles, size)
    return np.repeat(valid.astype(np.int64), pairs, axis=0)


@cocotb.test()
async def maxima(dut: object) -> None:
    columns, pairs = bench_settings()["columns"], bench_settings()["pairs"]
    rng = np.random.default_rng(7)
    await start(dut)
    late = RowMaximum(columns=columns, pairs=pairs).LATENCY
    for keys in (1, columns, 3 * columns + 1):
        rows = score_rows(2 * pairs, keys, rng)
        tiles = by_tile(rows, columns, 511)
        count = len(tiles)
        stimuli = {
            "s": pack(tiles.reshape(count * pairs, -1), 10),
            "valid": pack(existing(keys, columns, pairs), 1),
            "address": list(range(pairs)) * count,
            "first": [1] * pairs + [0] * (pairs * (count - 1)),
            "enable": [1] * (count * pairs),
        }
        await play(dut, stimuli, [])
        await play(dut, {"enable": [0] * late}, [])
        seen = await play(dut, {"ra": list(range(pairs))}, ["best"], extra=1)
        got = unpack(seen["best"][1:], 10, 2)
        np.testing.assert_array_equal(got.reshape(-1), rows.max(axis=1))


@cocotb.test()
async def probability_rows(dut: object) -> None:
    """Rows of several lengths after one another: the residues of the last ones do not stay."""
    rows_, pairs = bench_settings()["rows"], bench_settings()["pairs"]
    rng = np.random.default_rng(8)
    await start(dut)
    phases = 32 // rows_
    for keys in (1, 31, 100, 197):
        scores = score_rows(2 * pairs, keys, rng)
        tiles = by_tile(scores, rows_, 511)
        count = len(tiles)
        best = np.tile(scores.max(axis=1).reshape(pairs, 2), (count, 1))
        stimuli = {
            "s": pack(tiles.reshape(count * pairs, -1), 10),
            "best": pack(best, 10),
            "valid": pack(existing(keys, rows_, pairs), 1),
            "address": list(range(pairs)) * count,
            "phase": np.repeat(np.arange(count) % phases, pairs).tolist(),
            "first": np.repeat(np.arange(count) < phases, pairs).astype(int).tolist(),
            "enable": [1] * (count * pairs),
        }
        seen = await play(dut, stimuli, ["p"], extra=Softmax.LATENCY)
        got = unpack(seen["p"][Softmax.LATENCY :], 8, 2 * rows_) + 128
        want = by_tile(probabilities(scores)[0], rows_, 0).reshape(count * pairs, -1)
        np.testing.assert_array_equal(got, want)


@cocotb.test()
async def factors(dut: object) -> None:
    settings = bench_settings()
    size, pairs, tokens = settings["rows"], settings["pairs"], settings["tokens"]
    rng = np.random.default_rng(9)
    await start(dut)
    late = RowFactor(rows=size, pairs=pairs, max_tokens=tokens).LATENCY
    for keys, gain, shift in ((1, 32768, 0), (tokens, 65535, 6), (3 * size + 1, 50000, 3)):
        p = rng.integers(0, 255, (pairs, keys))
        p[0], p[1, 0], p[1, 1:] = 254, 254, 0
        p[:, 0] = 254
        tiles = by_tile(np.repeat(p, 2, axis=0), size, 0)[:, :, :size]
        count = len(tiles)
        stimuli = {
            "p": pack(tiles.reshape(count * pairs, size) - 128, 8),
            "address": list(range(pairs)) * count,
            "first": [1] * pairs + [0] * (pairs * (count - 1)),
            "last": [0] * (pairs * (count - 1)) + [1] * pairs,
            "enable": [1] * (count * pairs),
            "gain": [gain],
            "gain_shift": [shift],
        }
        await play(dut, stimuli, [])
        await play(dut, {"enable": [0] * late}, [])
        seen = await play(dut, {"ra": list(range(pairs))}, ["factor", "shift"], extra=1)
        factor, leading = row_factors(p.sum(axis=1), gain)
        np.testing.assert_array_equal(seen["factor"][1:], factor)
        np.testing.assert_array_equal(seen["shift"][1:], 15 + leading - shift)


def test_reciprocal_equals_golden() -> None:
    run_bench(Reciprocal(24), __name__, ("inverse",), bits=24)


def test_reciprocal_root_equals_golden() -> None:
    run_bench(ReciprocalRoot(50), __name__, ("inverse_root",), bits=50)


@pytest.mark.parametrize("columns, pairs", [(16, 8), (3, 5)])
def test_maxima_equal_numpy(columns: int, pairs: int) -> None:
    block = RowMaximum(columns=columns, pairs=pairs)
    run_bench(block, __name__, ("maxima",), columns=columns, pairs=pairs)


@pytest.mark.parametrize("rows, pairs", [(8, 5), (32, 4)])
def test_probabilities_equal_golden(rows: int, pairs: int) -> None:
    block = Softmax(rows=rows, pairs=pairs)
    run_bench(block, __name__, ("probability_rows",), rows=rows, pairs=pairs)


def test_row_factors_equal_golden() -> None:
    block = RowFactor(rows=16, pairs=8, max_tokens=2048)
    run_bench(block, __name__, ("factors",), rows=16, pairs=8, tokens=2048)


def test_rows_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="softmax: rows must divide 32, not 64"):
        Softmax(rows=64, pairs=8)
