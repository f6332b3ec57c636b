"""Top-K and gate scores against golden: ties, extremes, any number of experts."""

import cocotb
import numpy as np
import pytest

from m3vit.hw.golden.gate import gate_scores, top_experts
from m3vit.hw.quantised import Gate
from m3vit.rtl.gate_row import GateRow
from m3vit.rtl.topk import TopK
from tests.rtl.bench.player import pack, play, start, unpack
from tests.rtl.bench.runner import bench_settings, run_bench

TOKENS = 60
RESULTS = ["out_valid", "out_first", "out_index", "out_score"]


def logits(experts: int, rng: np.random.Generator) -> np.ndarray:
    """int32 [TOKENS, experts]: wide, narrow, full of ties, at both limits."""
    z = rng.integers(-(1 << 31), 1 << 31, (TOKENS, experts))
    z >>= rng.integers(0, 32, (TOKENS, 1))
    z[0], z[1] = (1 << 31) - 1, -(1 << 31)
    z[2] = np.where(np.arange(experts) % 3, (1 << 31) - 1, -(1 << 31))
    return z.astype(np.int32)


@cocotb.test()
async def sorted_lists(dut: object) -> None:
    top_k, experts = bench_settings()["top_k"], bench_settings()["experts"]
    rng = np.random.default_rng(13)
    z = logits(experts, rng)
    stimuli = {
        "z": pack(z.reshape(-1), 32),
        "index": list(range(experts)) * TOKENS,
        "valid": [1] * z.size,
        "first": ([1] + [0] * (experts - 1)) * TOKENS,
    }
    await start(dut)
    seen = await play(dut, stimuli, ["indices", "present", "best"], extra=TopK.LATENCY)
    ends = np.arange(1, TOKENS + 1) * experts - 1 + TopK.LATENCY
    kept = min(top_k, experts)
    got = unpack([seen["indices"][end] for end in ends], 8, top_k, signed=False)
    want = top_experts(z, kept)
    np.testing.assert_array_equal(got[:, :kept], want)
    values = unpack([seen["best"][end] for end in ends], 32, top_k)
    np.testing.assert_array_equal(values[:, :kept], np.take_along_axis(z, want, 1))
    assert {seen["present"][end] for end in ends} == {(1 << kept) - 1}


def schedule(z: np.ndarray, top_k: int) -> dict[str, list[int]]:
    """Both passes: token t's second beside token t + 1's first, at the shortest interval."""
    tokens, experts = z.shape
    period = max(experts, top_k)
    lead = period + 2
    length = lead + period * tokens + 1
    first, second, flags = np.zeros((3, length), np.int64)
    index, index2, valid, valid2, starts, starts2, last2 = np.zeros((7, length), np.int64)
    for token in range(tokens):
        here = token * period + np.arange(experts)
        there = here + lead
        first[here], second[there] = z[token], z[token]
        index[here] = index2[there] = np.arange(experts)
        valid[here] = valid2[there] = 1
        starts[here[0]] = starts2[there[0]] = last2[there[-1]] = flags[there[0] - 1] = 1
    return {
        "z": pack(first, 32),
        "z2": pack(second, 32),
        "index": index.tolist(),
        "index2": index2.tolist(),
        "valid": valid.tolist(),
        "valid2": valid2.tolist(),
        "first": starts.tolist(),
        "first2": starts2.tolist(),
        "last2": last2.tolist(),
        "take": flags.tolist(),
    }


@cocotb.test()
async def scores_of_tokens(dut: object) -> None:
    top_k, most = bench_settings()["top_k"], bench_settings()["experts"]
    rng = np.random.default_rng(14)
    block = GateRow(top_k=top_k, max_experts=most)
    await start(dut)
    for experts in (most, 5, top_k, 1):
        z = logits(experts, rng)
        factor, shift = int(rng.integers(1, 65536)), int(rng.integers(1, 41))
        gate = Gate(
            weight=np.zeros((experts, 1), np.int16),
            bias=np.zeros(experts, np.int32),
            factor=factor,
            shift=shift,
            scale=1.0,
        )
        stimuli = schedule(z, top_k) | {"factor": [factor], "shift": [shift]}
        seen = await play(dut, stimuli, RESULTS, extra=block.LATENCY + top_k)
        await play(dut, {name: [0] for name in ("valid", "valid2", "last2", "take")}, [])
        starts = np.flatnonzero(seen["out_first"])
        ends = np.flatnonzero(stimuli["last2"])
        np.testing.assert_array_equal(starts, ends + block.LATENCY)
        kept = min(top_k, experts)
        ranks = starts[:, None] + np.arange(kept)
        assert np.array(seen["out_valid"])[ranks].all()
        chosen = top_experts(z, kept)
        np.testing.assert_array_equal(np.array(seen["out_index"])[ranks], chosen)
        want = np.take_along_axis(gate_scores(z, gate), chosen, axis=1)
        np.testing.assert_array_equal(np.array(seen["out_score"])[ranks], want)


@pytest.mark.parametrize("top_k, experts", [(8, 16), (2, 3), (4, 2)])
def test_topk_equals_golden(top_k: int, experts: int) -> None:
    block = TopK(top_k=top_k, index_bits=8)
    run_bench(block, __name__, ("sorted_lists",), top_k=top_k, experts=experts)


@pytest.mark.parametrize("top_k, experts", [(8, 256), (4, 16)])
def test_gate_scores_equal_golden(top_k: int, experts: int) -> None:
    block = GateRow(top_k=top_k, max_experts=experts)
    run_bench(block, __name__, ("scores_of_tokens",), top_k=top_k, experts=experts)
