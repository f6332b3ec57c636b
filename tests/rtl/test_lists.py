"""Plan and expert lists against the routing plan: random routing, one expert, empty ones; lists
that are read while the next is built, and given back late."""

from collections import deque
from dataclasses import dataclass, field

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.routing import RoutingPlan
from m3vit.rtl.lists import ExpertLists
from m3vit.rtl.plan import PlanStore
from tests.rtl.bench.player import play, start
from tests.rtl.bench.runner import bench_settings, run_bench

_PLAN = ("clear", "we", "token", "entry")


class Bench(Component):
    """The plan store with the list builder behind it."""

    def __init__(self, max_tokens: int, max_experts: int, top_k: int) -> None:
        sizes = {"max_tokens": max_tokens, "max_experts": max_experts, "top_k": top_k}
        self.plan, self.lists = PlanStore(**sizes), ExpertLists(**sizes)
        inner = {"live", "ra", "read"}
        members = self.lists.signature.members
        self.outer = {
            ("list_token" if name == "token" else name): (name, member)
            for name, member in members.items()
            if name not in inner
        }
        writes = {name: self.plan.signature.members[name] for name in _PLAN}
        super().__init__({**writes, **{name: member for name, (_, member) in self.outer.items()}})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.plan, m.submodules.lists = self.plan, self.lists
        m.d.comb += [getattr(self.plan, name).eq(getattr(self, name)) for name in _PLAN]
        m.d.comb += [
            self.plan.ra.eq(self.lists.ra),
            self.lists.read.eq(self.plan.read),
            self.lists.live.eq(self.plan.live),
        ]
        for name, (inner, member) in self.outer.items():
            mine, its = getattr(self, name), getattr(self.lists, inner)
            m.d.comb += its.eq(mine) if member.flow == In else mine.eq(its)
        return m


def choices(
    kind: int, tokens: int, experts: int, top_k: int, rng: np.random.Generator
) -> np.ndarray:
    """Experts [tokens, top_k]: random, all the same, or only two experts used."""
    if kind == 1:
        return np.tile(rng.choice(experts, top_k, replace=False), (tokens, 1))
    pool = experts if kind == 0 else max(top_k, 2)
    return np.stack([rng.choice(pool, top_k, replace=False) for _ in range(tokens)])


def entry(chosen: np.ndarray, weights: np.ndarray, index_bits: int) -> int:
    """One record."""
    value, size = 0, 1 + index_bits + 16
    for rank, (expert, weight) in enumerate(zip(chosen, weights, strict=True)):
        value |= (1 | int(expert) << 1 | int(weight) << (1 + index_bits)) << (rank * size)
    return value


async def clock(dut: object) -> None:
    await RisingEdge(dut.clk)
    await Timer(1, "ns")


async def take_list(dut: object, wait: int) -> tuple[int, int, int] | None:
    """(expert, count, buffer) of the next list, or None at the end."""
    for _ in range(5000):
        await ReadOnly()
        if int(dut.valid.value) and wait == 0:
            return int(dut.expert.value), int(dut.count.value), int(dut.buffer.value)
        wait = max(0, wait - 1)
        if int(dut.exhausted.value):
            return None
        await clock(dut)
    raise AssertionError("no list and no end")


async def read_list(dut: object, count: int, buffer: int, token_bits: int) -> list[tuple[int, int]]:
    """Its (token, weight) entries, by pairs."""
    pairs = (count + 1) // 2
    inputs = {"which": [buffer], "pair": list(range(pairs))}
    late = ExpertLists.READ_LATENCY
    seen = await play(dut, inputs, ["list_token", "weight"], extra=late)
    result = []
    for tokens, weights in zip(seen["list_token"][late:], seen["weight"][late:], strict=True):
        mask = (1 << token_bits) - 1
        result += [(tokens & mask, weights & 0xFFFF), (tokens >> token_bits, weights >> 16)]
    return result[:count]


@dataclass
class Reader:
    """Takes lists and gives them back, the oldest first, up to two taken at once."""

    dut: object
    plan: RoutingPlan
    rng: np.random.Generator
    token_bits: int
    held: deque[tuple[int, int, int]] = field(default_factory=deque)

    async def take(self, expert: int, wait: int) -> None:
        got = await take_list(self.dut, wait)
        assert got is not None and got[:2] == (expert, self.plan.counts[expert])
        await clock(self.dut)
        await play(self.dut, {"ready": [1, 0]}, [])
        assert got[2] not in [buffer for _, _, buffer in self.held]
        self.held.append(got)

    async def nothing_comes(self, cycles: int) -> None:
        """Both buffers are taken."""
        seen = await play(self.dut, {"which": [0] * cycles}, ["valid"])
        assert not any(seen["valid"])

    async def give_back(self) -> None:
        """Read the oldest to its end, then free it."""
        expert, count, buffer = self.held.popleft()
        own = self.plan.pairs(expert)
        tokens, weights = self.plan.tokens[own].tolist(), self.plan.weights[own].tolist()
        entries = await read_list(self.dut, count, buffer, self.token_bits)
        assert entries == list(zip(tokens, weights, strict=True))
        await play(self.dut, {"free": [1, 0]}, [])


@cocotb.test()
async def lists_of_every_expert(dut: object) -> None:
    settings = bench_settings()
    most, experts = settings["max_tokens"], settings["max_experts"]
    rng = np.random.default_rng(15)
    index_bits, token_bits = max(1, (experts - 1).bit_length()), (most - 1).bit_length()
    await start(dut)
    await play(dut, {"ready": [0], "free": [0], "start": [0]}, [])
    for kind, tokens in ((0, most), (1, most), (2, most - 1), (0, 1), (0, most // 2)):
        top_k = int(rng.integers(1, settings["top_k"] + 1))
        chosen = choices(kind, tokens, experts, top_k, rng)
        weights = rng.integers(0, 65536, chosen.shape).astype(np.uint16)
        plan = RoutingPlan.from_choices(chosen, weights, experts=experts)
        records = [entry(c, w, index_bits) for c, w in zip(chosen, weights, strict=True)]
        await play(dut, {"clear": [1, 0], "we": [0]}, [])
        order = rng.permutation(tokens)
        write = {"token": order.tolist(), "entry": [records[t] for t in order]}
        await play(dut, {**write, "we": [1] * tokens}, [])
        begin = {"we": [0], "tokens": [tokens], "experts": [experts], "start": [0, 0, 0, 1, 0]}
        await play(dut, begin, [])
        reader = Reader(dut, plan, rng, token_bits)
        for expert in np.flatnonzero(plan.counts).tolist():
            if len(reader.held) == 2:
                await reader.nothing_comes(3 * most)
                await reader.give_back()
            await reader.take(expert, int(rng.integers(0, 3 * most)))
            if rng.random() < 0.3:
                await reader.give_back()
        if len(reader.held) == 2:  # the search for another live expert waits for a buffer
            await reader.give_back()
        assert await take_list(dut, 0) is None
        await clock(dut)
        while reader.held:
            await reader.give_back()


@pytest.mark.parametrize("tokens, experts, top_k", [(16, 5, 3), (33, 16, 8)])
def test_lists_equal_the_plan(tokens: int, experts: int, top_k: int) -> None:
    settings = {"max_tokens": tokens, "max_experts": experts, "top_k": top_k}
    run_bench(Bench(**settings), __name__, ("lists_of_every_expert",), **settings)
