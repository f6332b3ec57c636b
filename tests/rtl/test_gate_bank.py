"""Whole gate: pairs in panels with stalls against golden, and its rate."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.golden.gate import gate_scores, top_experts
from m3vit.hw.quantised import Gate
from m3vit.rtl.gate_bank import GateBank
from tests.rtl.bench.player import pack, start
from tests.rtl.bench.runner import bench_settings, run_bench

PAIR_BITS = 11


def random_gate(experts: int, rng: np.random.Generator) -> Gate:
    return Gate(
        weight=np.zeros((experts, 1), np.int16),
        bias=np.zeros(experts, np.int32),
        factor=int(rng.integers(1, 65536)),
        shift=int(rng.integers(1, 41)),
        scale=1.0,
    )


def panels(z: np.ndarray, panel: int) -> list[int]:
    """Logits [2, experts] of a pair as words of [2][panel]; what is beyond E is noise."""
    count = -(-z.shape[1] // panel)
    padded = np.full((2, count * panel), (1 << 31) - 1, np.int64)
    padded[:, : z.shape[1]] = z
    split = padded.reshape(2, count, panel).transpose(1, 0, 2).reshape(count, 2 * panel)
    return pack(split, 32)


def ranks(entry: int, top_k: int, index_bits: int) -> list[tuple[int, int]]:
    """(expert, weight) of the ranks that are present."""
    size = 1 + index_bits + 16
    words = [(entry >> (rank * size)) & ((1 << size) - 1) for rank in range(top_k)]
    mask = (1 << index_bits) - 1
    return [((w >> 1) & mask, w >> (1 + index_bits)) for w in words if w & 1]


async def route(dut: object, z: np.ndarray, gate: Gate, top_k: int, busy: float) -> tuple:
    """Records by token, and the cycles taken; ``busy``: share of cycles with an offer."""
    settings = bench_settings()
    tokens, experts = z.shape
    pairs = (tokens + 1) // 2
    padded = np.concatenate([z, np.zeros((2 * pairs - tokens, experts), np.int32)])
    words = [
        (pair, int(2 * pair + 1 < tokens), word)
        for pair in range(pairs)
        for word in panels(padded[2 * pair : 2 * pair + 2], settings["panel"])
    ]
    dut.experts.value, dut.top_k.value = experts, top_k
    dut.factor.value, dut.shift.value = gate.factor, gate.shift
    rng, records, cycles = np.random.default_rng(19), {}, 0
    while len(records) < tokens:
        offer = bool(words) and rng.random() < busy
        dut.valid.value = int(offer)
        if words:
            dut.pair.value, dut.both.value, dut.logits.value = words[0]
        await ReadOnly()
        if offer and int(dut.ready.value):
            words.pop(0)
        if int(dut.plan_we.value):
            token = int(dut.plan_token.value)
            assert token not in records and token < tokens
            records[token] = int(dut.plan_entry.value)
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        cycles += 1
        assert cycles < 100 * tokens + 40 * experts * tokens
    dut.valid.value = 0
    for _ in range(5):
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
    assert int(dut.idle.value) and not int(dut.plan_we.value)
    return records, cycles


@cocotb.test()
async def plans(dut: object) -> None:
    settings = bench_settings()
    most, max_k, slots = settings["max_experts"], settings["max_top_k"], settings["slots"]
    rng = np.random.default_rng(20)
    index_bits = max(1, (most - 1).bit_length())
    await start(dut)
    for experts, busy in ((most, 1.0), (most, 0.3), (max_k, 1.0), (1, 1.0), (most // 2 + 1, 0.7)):
        z = rng.integers(-(1 << 31), 1 << 31, (31, experts)).astype(np.int32)
        z[::3] >>= 28
        gate, top_k = random_gate(experts, rng), int(rng.integers(1, max_k + 1))
        records, cycles = await route(dut, z, gate, top_k, busy)
        kept = min(top_k, experts)
        chosen = top_experts(z, kept)
        scores = np.take_along_axis(gate_scores(z, gate), chosen, axis=1)
        for token in range(len(z)):
            want = list(zip(chosen[token].tolist(), scores[token].tolist(), strict=True))
            assert ranks(records[token], max_k, index_bits) == want
        if busy == 1.0:
            interval = max(experts, max_k)
            assert cycles <= 16 * interval / slots + 2 * interval + 60


@pytest.mark.parametrize("panel, experts, top_k, slots", [(8, 6, 4, 2), (6, 20, 8, 1)])
def test_plans_equal_golden(panel: int, experts: int, top_k: int, slots: int) -> None:
    settings = {"panel": panel, "max_experts": experts, "max_top_k": top_k, "slots": slots}
    block = GateBank(**settings, pair_bits=PAIR_BITS)
    run_bench(block, __name__, ("plans",), **settings)


def test_slots_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="gate bank: slots must be 1 to 2 with K up to 4"):
        GateBank(panel=8, max_experts=4, max_top_k=4, pair_bits=4, slots=3)
