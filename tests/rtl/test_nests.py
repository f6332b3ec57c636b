"""Loop nests against plain-Python generators, field by field, over random jobs."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from amaranth.lib import stream
from amaranth.sim import Simulator

from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.rtl.attention_nest import AttentionNest
from m3vit.rtl.gemm_nest import GemmNest
from m3vit.rtl.passes import Post, Source, Wait
from tests.rtl.golden_passes import Early, attention_items, gemm_passes

MACHINES = [machine_preset("zcu104"), machine_preset("mini")]


def read(ctx: Any, payload: Any, names: Iterable[str]) -> dict[str, int]:
    return plain({name: ctx.get(getattr(payload, name)) for name in names})


def plain(fields: dict[str, Any]) -> dict[str, int]:
    return {name: int(getattr(value, "value", value)) for name, value in fields.items()}


def wrapped(fields: dict[str, Any]) -> dict[str, Any]:
    """Numbers modulo 2^16."""
    return {k: v & 0xFFFF if k == "wait_for" else v for k, v in fields.items()}


def compare(
    dut: Any,
    outputs: dict[str, stream.Interface],
    jobs: list[tuple[dict[str, Any], dict[str, Any]]],
    expected: dict[str, list[Any]],
) -> None:
    """``jobs`` with what other ports show then; ``expected`` by stream, in order; the sinks stall
    at random."""
    rng = np.random.default_rng(1)

    async def give(ctx: Any) -> None:
        for job, others in jobs:
            ctx.set(dut.job.payload, job)
            for name, value in others.items():
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.job.valid, 1)
            await ctx.tick().until(dut.job.ready)
            ctx.set(dut.job.valid, 0)

    async def take(ctx: Any, name: str) -> None:
        port = outputs[name]
        for index, fields in enumerate(expected[name]):
            if rng.random() < 0.3:
                await ctx.tick().repeat(int(rng.integers(1, 5)))
            while not ctx.get(port.valid):
                await ctx.tick()
            got = read(ctx, port.payload, fields)
            assert got == plain(fields), (name, index, got, plain(fields))
            ctx.set(port.ready, 1)
            await ctx.tick()
            if fields.get("last") and fields["post"] != Post.SCORE:
                ctx.set(dut.number, (fields["number"] + 1) & 0xFFFF)
            ctx.set(port.ready, 0)
        if name == "passes":
            await ctx.tick()
            assert not ctx.get(port.valid) and ctx.get(dut.idle)

    def taker(name: str) -> Any:
        async def run(ctx: Any) -> None:
            await take(ctx, name)

        return run

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(give, background=True)
    for name in outputs:
        simulator.add_testbench(taker(name))
    simulator.run()


def gemm_job(rng: np.random.Generator, machine: MachineConfig, before: Any) -> dict[str, Any]:
    thirds = int(rng.integers(0, 3))
    panels = 3 * thirds or int(rng.integers(1, 6))
    whole = before is not None and before["panels_group"] in (1, 255)
    follow = whole and not thirds and bool(rng.integers(0, 2))
    return {
        "tokens": int(rng.integers(1, 260)),
        "block_pairs": int(rng.choice([8, 16, 32, 64])),
        "ramp": int(rng.integers(0, 2)),
        "first_token": int(rng.integers(0, 2)),
        "steps": int(rng.integers(1, 13)),
        "panels": panels,
        "panels_group": int(rng.choice([1, 2, 255])),
        "source": Source.QOH if follow else Source.XN,
        "gather": int(rng.integers(0, 2)),
        "buffer": int(rng.integers(0, 2)),
        "row_step": int(rng.integers(1, 300)),
        "address": int(rng.integers(0, 1000)),
        "post": rng.choice([Post.GELU, Post.RESIDUAL, Post.GATE]),
        "column": int(rng.integers(0, 12)),
        "column_step": 3,
        "group_step": int(rng.integers(1, 5)),
        "limit": int(rng.integers(1, 50)),
        "thirds": thirds,
        "shift": 20,
        "shift_key": 21,
        "shift_query": 22,
        "weighted": int(rng.integers(0, 2)),
        "guard": int(rng.integers(0, 8)),
        "wait": rng.choice([Wait.NOTHING, Wait.RETIRED, Wait.TOKENS]),
        "follow": int(follow),
        "publish": int(rng.integers(0, 2)),
        "publish_all": int(rng.integers(0, 2)),
    }


def random_early(rng: np.random.Generator) -> Early:
    return int(rng.integers(0, 100)), int(rng.integers(0, 65536))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_linear_layers_cut_into_passes(machine: MachineConfig) -> None:
    rng = np.random.default_rng(2)
    jobs: list[Any] = []
    expected: list[Any] = []
    number, past, job = 0, (0, 0, 0), None
    for _ in range(24):
        job, early = gemm_job(rng, machine, job), random_early(rng)
        jobs.append((job, {"early": {"pairs": early[0], "number": early[1]}}))
        passes = list(gemm_passes(job, machine, number, past, early))
        blocks = len({each["first_pair"] for each in passes})
        panels = 0 if job["panels_group"] == 1 else job["panels"]
        past, number = (number, blocks, panels), number + sum(each["last"] for each in passes)
        expected += [wrapped(each) for each in passes]
    dut = GemmNest(machine)
    compare(dut, {"passes": dut.passes}, jobs, {"passes": expected})


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_attention_cut_into_passes(machine: MachineConfig) -> None:
    rng = np.random.default_rng(3)
    jobs: list[Any] = []
    expected: dict[str, list[Any]] = {"passes": [], "loads": []}
    number = scored = 0
    for size in (16, 32, 48, 64, 16, 32):
        tokens = int(rng.integers(1, 200))
        job = {
            "tokens": tokens,
            "block_pairs": int(rng.choice([8, 16, 31])),
            "key_tiles": -(-tokens // machine.columns),
            "query_steps": -(-size // machine.rows),
            "value_tiles": -(-tokens // machine.rows),
            "value_columns": -(-size // machine.columns),
            "column": int(rng.integers(0, 12)),
            "group_step": size // 16,
            "limit": int(rng.integers(1, 50)),
            "units": size // 16,
        }
        keys, early = int(rng.integers(0, 65536)), random_early(rng)
        jobs.append((job, {"early": {"pairs": early[0], "number": early[1]}, "keys": keys}))
        items = list(attention_items(job, machine, number, scored, keys, early))
        for item in items:
            expected["loads" if "steps" in item else "passes"].append(wrapped(item))
        passes = [item for item in items if "last" in item]
        scores = [item["post"] == Post.SCORE for item in passes if item["last"]]
        scored, number = scored + sum(scores), number + len(scores) - sum(scores)
    dut = AttentionNest(machine)
    compare(dut, {"passes": dut.passes, "loads": dut.loads}, jobs, expected)
