"""Counters over random steps: cleared, counted while running, held."""

import cocotb
import numpy as np

from m3vit.hw.registers import COUNTERS
from m3vit.rtl.counters import Counters
from tests.rtl.bench.player import play, start
from tests.rtl.bench.runner import run_bench

CYCLES = 400
STEPS = [f"add_{name.lower()}" for name in COUNTERS if name != "CYCLES"]
TOTALS = [f"count_{name.lower()}" for name in COUNTERS]


@cocotb.test()
async def sums_while_running(dut: object) -> None:
    rng = np.random.default_rng(21)
    await start(dut)
    for _ in range(2):
        steps = {name: rng.integers(0, 256, CYCLES) for name in STEPS}
        run = rng.integers(0, 2, CYCLES)
        await play(dut, {"clear": [1, 0], "run": [0]}, [])
        await play(dut, {n: s.tolist() for n, s in steps.items()} | {"run": run.tolist()}, [])
        seen = await play(dut, {"run": [0, 0, 0, 0]}, TOTALS)
        assert seen["count_cycles"][-1] == run.sum()
        for name, values in steps.items():
            assert seen[name.replace("add_", "count_")][-1] == (values * run).sum(), name


def test_counters_equal_sums() -> None:
    """Low parts of ten bits, so that carries are frequent."""
    run_bench(Counters(low_bits=10), __name__, ("sums_while_running",))
