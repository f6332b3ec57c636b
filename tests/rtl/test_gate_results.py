"""The gate's wiring behind the results' queue, on the small machine."""

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.golden.gate import gate_scores, top_experts
from m3vit.hw.machine import machine_preset
from m3vit.rtl.gate_results import GateResults
from m3vit.rtl.posts import GATE_BITS
from m3vit.rtl.results import Target, result_layout
from tests.rtl.bench.player import pack, start
from tests.rtl.bench.runner import run_bench
from tests.rtl.test_gate_bank import random_gate, ranks

MACHINE = machine_preset("mini")
TOKENS, EXPERTS, TOP_K = 13, 16, 3


def payload(z: np.ndarray, pair: int) -> int:
    """A result: logits [2, experts] as [group][member][column pair], and its target."""
    padded = np.zeros((2, MACHINE.panel // 2), np.int64)
    padded[:, :EXPERTS] = z
    values = padded.reshape(2, MACHINE.groups, -1).transpose(1, 0, 2).reshape(1, -1)
    target = result_layout(MACHINE)["target"].offset
    both = int(2 * pair + 1 < TOKENS)
    return (
        pack(values, GATE_BITS)[0]
        | pair << (target + Target["pair"].offset)
        | both << (target + Target["both"].offset)
    )


@cocotb.test()
async def records_of_tokens(dut: object) -> None:
    rng = np.random.default_rng(22)
    z = rng.integers(-(1 << 31), 1 << 31, (TOKENS + 1, EXPERTS)).astype(np.int32)
    gate = random_gate(EXPERTS, rng)
    await start(dut)
    dut.experts.value, dut.top_k.value = EXPERTS, TOP_K
    dut.factor.value, dut.shift.value = gate.factor, gate.shift
    words = [payload(z[2 * pair : 2 * pair + 2], pair) for pair in range((TOKENS + 1) // 2)]
    records: dict[int, int] = {}
    for _ in range(400):
        dut.results__valid.value = int(bool(words))
        dut.results__payload.value = words[0] if words else 0
        await ReadOnly()
        if words and int(dut.results__ready.value):
            words.pop(0)
        if int(dut.plan_we.value):
            records[int(dut.plan_token.value)] = int(dut.plan_entry.value)
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
    assert sorted(records) == list(range(TOKENS))
    chosen = top_experts(z, TOP_K)
    scores = np.take_along_axis(gate_scores(z, gate), chosen, axis=1)
    for token, entry in records.items():
        want = list(zip(chosen[token].tolist(), scores[token].tolist(), strict=True))
        assert ranks(entry, MACHINE.max_top_k, 4) == want


def test_records_equal_golden() -> None:
    run_bench(GateResults(MACHINE), __name__, ("records_of_tokens",))
