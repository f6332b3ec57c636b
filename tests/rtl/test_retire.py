"""Retire: random results into models of QOH and RES; members that meet in a bank, busy banks."""

from collections import deque
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from numpy.typing import NDArray

from m3vit.hw.golden.expert import weigh
from m3vit.hw.golden.residual import add
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.activations import BANKS, WORD_BITS, row_bits
from m3vit.rtl.passes import Post
from m3vit.rtl.residual_store import ResidualStore, place_layout
from m3vit.rtl.results import result_layout
from m3vit.rtl.retire import Retire
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import bench_settings, run_bench

UNITS, TOKENS, COUNT = 16, 37, 260
HALF = -(-TOKENS // 2)


def machine(groups: int) -> MachineConfig:
    return MachineConfig(name="retire", groups=groups, rows=16, max_tokens=64)


class Stores:
    """QOH and RES as the memories see them, by (bank, row)."""

    def __init__(self, dut: Any, size: MachineConfig, rng: np.random.Generator) -> None:
        self.dut, self.rng = dut, rng
        self.row_bits, self.place = row_bits(size), place_layout(size).size
        self.hidden: dict[tuple[int, int], int] = {}
        self.residual: dict[int, int] = {}
        self.reads: list[deque[int]] = [deque([0] * ResidualStore.LATENCY) for _ in range(2)]

    def see(self) -> None:
        """What the cycle that ends now writes and reads."""
        dut = self.dut
        mask, reading = int(dut.write_mask.value), int(dut.reading.value)
        rows, data = int(dut.write_row.value), int(dut.write_data.value)
        for bank in range(BANKS):
            own = (mask >> 4 * bank) & 15
            if own and not (reading >> bank) & 1:
                row = (rows >> self.row_bits * bank) % (1 << self.row_bits)
                self._write_hidden(bank, row, own, data >> WORD_BITS * bank)
        places = []
        for member in range(2):
            place = int(getattr(dut, f"read{member}_place").value)
            self.reads[member].append(self.residual.get(place, 0))
            if int(getattr(dut, f"read{member}").value):
                places.append(place & 7)
        assert len(set(places)) == len(places), "two reads of one bank"
        for member in range(2):
            if int(getattr(dut, f"write{member}").value):
                place = int(getattr(dut, f"write{member}_place").value)
                self.residual[place] = int(getattr(dut, f"write{member}_data").value)

    def _write_hidden(self, bank: int, row: int, mask: int, data: int) -> None:
        kept = self.hidden.get((bank, row), 0)
        for part in range(4):
            if (mask >> part) & 1:
                field = ((1 << 64) - 1) << 64 * part
                kept = (kept & ~field) | (data & field)
        self.hidden[bank, row] = kept

    def drive(self) -> None:
        """What the next cycle sees."""
        for member, reads in enumerate(self.reads):
            reads.popleft()
            getattr(self.dut, f"data{member}").value = reads[0]
        self.dut.reading.value = int(1 << self.rng.integers(0, 8)) & 15

    def hidden_rows(self) -> NDArray[np.int8]:
        found = np.zeros((TOKENS, 16 * UNITS), np.int8)
        for word in range(UNITS // 2):
            for token in range(TOKENS):
                data = self.hidden.get((word % 4, word // 4 * TOKENS + token), 0)
                codes = np.frombuffer(data.to_bytes(32, "little"), np.int8)
                found[token, 32 * word : 32 * word + 32] = codes
        return found

    def residual_rows(self) -> NDArray[np.int32]:
        found = np.zeros((TOKENS, 16 * UNITS), np.int32)
        for word in range(UNITS):
            for token in range(TOKENS):
                odd = token % 2
                row = (2 * (word // 8) + odd) * HALF + token // 2
                data = self.residual.get((word + 4 * odd) % 8 | row << 3, 0)
                codes = np.array([(data >> 18 * i) & 0x3FFFF for i in range(16)])
                found[token, 16 * word : 16 * word + 16] = codes - (codes >> 17 << 18)
        return found


def random_target(rng: np.random.Generator, groups: int) -> dict[str, Any]:
    residual = bool(rng.integers(0, 2))
    step = 1 if residual else int(rng.choice([1, 2, 3, 4]))
    column = int(rng.integers(0, UNITS - step * (groups - 1)))
    tokens = rng.permutation(TOKENS)[:2].tolist()
    return {
        "post": Post.RESIDUAL if residual else rng.choice([Post.HIDDEN, Post.GELU, Post.OUTPUT]),
        "pair": int(rng.integers(0, TOKENS // 2)),
        "both": int(rng.random() < 0.8),
        "entry": {
            "token0": tokens[0],
            "token1": tokens[1],
            "weight0": int(rng.integers(0, 65536)),
            "weight1": int(rng.integers(0, 65536)),
        },
        "tokens": TOKENS,
        "column": column,
        "group_step": step,
        "limit": column + step * int(rng.integers(0, groups)) + 1,
        "weighted": int(rng.integers(0, 2)),
        "guard": int(rng.integers(0, 8)),
        "final": 1,
        "number": int(rng.integers(0, 65536)),
        "row": column // 8 * (2 * HALF if residual else TOKENS),
    }


def expect(
    t: dict[str, Any],
    values: NDArray[np.int32],
    hidden: NDArray[np.int8],
    residual: NDArray[np.int32],
) -> int:
    """Apply a result to [T, channels]; returns saturations.  ``values`` int18 [G, 2, 16]."""
    saturations = 0
    for group, pair in enumerate(values):
        unit = t["column"] + group * t["group_step"]
        own = slice(16 * unit, 16 * unit + 16)
        for member, value in enumerate(pair[: 1 + t["both"]]):
            if unit >= t["limit"]:
                continue
            if t["post"] != Post.RESIDUAL:
                hidden[2 * t["pair"] + member, own] = value.astype(np.int8)
                continue
            token, weight = (t["entry"][f"{name}{member}"] for name in ("token", "weight"))
            term = weigh(value[None], np.array([weight], np.uint16), t["guard"])[0]
            total, spilt = add(residual[token, own], term if t["weighted"] else value)
            residual[token, own] = total
            saturations += spilt
    return saturations


def shuffled(rng: np.random.Generator, groups: int) -> list[tuple[dict[str, Any], Any]]:
    """Targets with values; every fourth is like the one before: the same words again."""
    made: list[tuple[dict[str, Any], Any]] = []
    for index in range(COUNT):
        target = made[-1][0] if made and index % 4 == 0 else random_target(rng, groups)
        values = rng.integers(-(1 << 17), 1 << 17, (groups, 2, 16)).astype(np.int32)
        if target["post"] != Post.RESIDUAL:
            values = values % 256 - 128
        made.append((target, values))
    return made


@cocotb.test()
async def results_reach_their_stores(dut: Any) -> None:
    groups = bench_settings()["groups"]
    size, rng = machine(groups), np.random.default_rng(31)
    stores, layout = Stores(dut, size, rng), result_layout(size)
    hidden = np.zeros((TOKENS, 16 * UNITS), np.int8)
    residual = np.zeros((TOKENS, 16 * UNITS), np.int32)
    constants = {"tokens": TOKENS, "half_tokens": HALF, "query_steps": 1, "value_columns": 1}
    zeros = ("reading", "data0", "data1", "results__valid", "results__payload", "publish_clear")
    for name, value in (
        constants | dict.fromkeys((*zeros, "publish_all", "gate__ready"), 0)
    ).items():
        getattr(dut, name).value = value
    await start(dut)
    saturated, due = 0, 0

    async def cycle() -> bool:
        nonlocal saturated
        await ReadOnly()
        stores.see()
        taken = bool(int(dut.results__ready.value))
        saturated += int(dut.saturated.value)
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        stores.drive()
        return taken

    for target, values in shuffled(rng, groups):
        flat = sum((int(v) & 0x3FFFF) << 18 * i for i, v in enumerate(values.reshape(-1)))
        plain = {name: getattr(value, "value", value) for name, value in target.items()}
        payload = layout.const({"values": flat, "target": plain}).as_value().value
        dut.results__payload.value = payload
        dut.results__valid.value = 1
        while not await cycle():
            pass
        due += expect(target, values, hidden, residual)
        if rng.random() < 0.1:
            dut.results__valid.value = 0
            for _ in range(int(rng.integers(1, 9))):
                await cycle()
    dut.results__valid.value = 0
    for _ in range(30):
        await cycle()
    np.testing.assert_array_equal(stores.hidden_rows(), hidden)
    np.testing.assert_array_equal(stores.residual_rows(), residual)
    assert saturated == due > 0
    assert int(dut.retired.value) == int(dut.written.value) == target["number"]


@pytest.mark.parametrize("groups", [3, 1])
def test_retire_equals_golden(groups: int) -> None:
    run_bench(Retire(machine(groups)), __name__, ("results_reach_their_stores",), groups=groups)
