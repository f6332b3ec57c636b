"""Token order: its lists, what it fetches and what it gives back, against a cache in Python."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import Component, In
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.cost.reordering import CACHE_LIMIT
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.rtl.lists import ExpertLists
from m3vit.rtl.plan import PlanStore
from m3vit.rtl.token_order import TokenOrder
from tests.rtl.bench.player import play, start
from tests.rtl.bench.runner import bench_settings, run_bench
from tests.rtl.test_lists import choices, entry

MACHINE = replace(machine_preset("mini"), max_tokens=32, max_experts=40)
DEPTH = MACHINE.ring_bytes // MACHINE.word_bytes
MASK = (1 << 16) - 1
_INPUTS = ("start", "tokens", "pointer", "words", "taken", "ready", "free", "pair", "which")
_PLAN = ("clear", "we", "token", "entry")
_ORDER = ("start", "tokens", "pointer", "words", "want", "expert", "taken", "place")
_ENDS = ("walking", "last", "active", "floor", "release_to")
_LISTS = ("valid", "ready", "free", "count", "buffer", "pair", "which", "weight")


class Bench(Component):
    """Plan store, list builder and token order, as in the machine."""

    def __init__(self, machine: MachineConfig) -> None:
        sizes = {"max_tokens": machine.max_tokens, "max_experts": machine.max_experts}
        sizes["top_k"] = machine.max_top_k
        self.plan, self.lists = PlanStore(**sizes), ExpertLists(**sizes)
        self.order = TokenOrder(machine)
        self.outer: dict[str, tuple[Component, str]] = {
            **{name: (self.order, name) for name in (*_ORDER, *_ENDS)},
            **{name: (self.lists, name) for name in _LISTS},
            **{f"list_{name}": (self.lists, name) for name in ("expert", "token")},
        }
        members = {name: unit.signature.members[its] for name, (unit, its) in self.outer.items()}
        writes = {name: self.plan.signature.members[name] for name in _PLAN}
        super().__init__({**writes, **members})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, lists, order = self.plan, self.lists, self.order
        m.submodules.plan, m.submodules.lists, m.submodules.order = plan, lists, order
        m.d.comb += [getattr(plan, name).eq(getattr(self, name)) for name in _PLAN]
        m.d.comb += [
            plan.ra.eq(Mux(order.active, order.ra, lists.ra)),
            order.read.eq(plan.read),
            lists.direct.eq(order.give),
            order.offered.eq(lists.valid),
        ]
        for name in ("expert", "token", "weight"):
            m.d.comb += getattr(lists, f"direct_{name}").eq(getattr(order, name))
        for name in ("listed", "held", "filling", "buffer"):
            m.d.comb += getattr(order, name).eq(getattr(lists, name))
        for name, (unit, its) in self.outer.items():
            mine, inner = getattr(self, name), getattr(unit, its)
            inward = unit.signature.members[its].flow == In
            m.d.comb += inner.eq(mine) if inward else mine.eq(inner)
        return m


@dataclass(kw_only=True)
class Use:
    """An expert of a token in the array."""

    expert: int
    place: int
    age: int = 0
    entry: tuple[int, int] = (-1, -1)


@dataclass(kw_only=True)
class Around:
    """Fetch engine, sequencer and array around the unit, cycle by cycle."""

    dut: Any
    rng: random.Random
    words: int
    pointer: int
    fetched: list[int] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    running: deque[Use] = field(default_factory=deque)
    ends: int = 0

    @property
    def head(self) -> int:
        """Behind the expert that was asked for last."""
        return (self.pointer + len(self.fetched) * self.words) & MASK

    async def cycle(self) -> None:
        """Take and give back at random; an entry is read before its list is given back."""
        d, rng = self.dut, self.rng
        free = bool(self.running) and self.running[0].age > 6 and rng.random() < 0.2
        settled = not self.running or self.running[-1].age > 6
        take = settled and int(d.valid.value) and rng.random() < 0.4
        d.taken.value, d.ready.value, d.free.value = rng.random() < 0.3, int(take), free
        if take:
            d.which.value = int(d.buffer.value)
            assert int(d.count.value) == 1
            use = Use(expert=int(d.list_expert.value), place=int(d.place.value))
            self.uses.append(use)
            self.running.append(use)
        await ReadOnly()
        if int(d.want.value) and int(d.taken.value):
            self.fetched.append(int(d.expert.value))
        self.ends += int(d.last.value) & int(d.taken.value)
        self.check()
        if self.running and self.running[-1].age == 5:
            self.running[-1].entry = (low(d.list_token, 5), low(d.weight, 16))
        for use in self.running:
            use.age += 1
        if free:
            self.running.popleft()
        await RisingEdge(d.clk)
        await Timer(1, "ns")

    def check(self) -> None:
        """Nothing in use is given back, and what is kept fits beside the one that comes."""
        if not int(self.dut.active.value):
            return
        for use in self.running:
            assert (use.place - int(self.dut.release_to.value)) & MASK < 1 << 15, use
        assert (self.head - int(self.dut.floor.value)) & MASK <= DEPTH + self.words


def low(signal: Any, bits: int) -> int:
    """The low bits; member 1 of a pair was never written."""
    return int(str(signal.value)[-bits:], 2)


def cached(uses: list[int], words: int, pointer: int) -> Iterator[tuple[bool, int]]:
    """Whether each is fetched, and where it lies."""
    kept: deque[tuple[int, int]] = deque(maxlen=min(CACHE_LIMIT, DEPTH // words))
    for expert in uses:
        place = dict(kept).get(expert)
        yield place is None, pointer if place is None else place
        if place is None:
            kept.append((expert, pointer))
            pointer = (pointer + words) & MASK


@cocotb.test()
async def uses_are_those_of_a_cache(dut: Any) -> None:
    """Experts of every size, one larger than the ring; a routing each, one behind the other."""
    rng, numbers = random.Random(bench_settings()["seed"]), np.random.default_rng(21)
    for name in (*_PLAN, *_INPUTS):
        getattr(dut, name).value = 0
    await start(dut)
    for kind, tokens, words in ((0, 32, 200), (2, 9, 900), (1, 7, 20), (0, 32, 20), (0, 5, 1500)):
        top_k = MACHINE.max_top_k if words < DEPTH // CACHE_LIMIT else rng.randint(1, 3)
        chosen = choices(kind, tokens, MACHINE.max_experts, top_k, numbers)
        weights = numbers.integers(0, 65536, chosen.shape)
        records = [entry(c, w, 6) for c, w in zip(chosen, weights, strict=True)]
        pointer = rng.choice((0, MASK - 1000, rng.randint(0, MASK)))
        await play(dut, {"clear": [1, 0], "we": [0]}, [])
        write = {"token": list(range(tokens)), "entry": records, "we": [1] * tokens}
        await play(dut, write, [])
        sizes = {"tokens": [tokens], "pointer": [pointer], "words": [words]}
        await play(dut, {"we": [0], "start": [1, 0], **sizes}, [])
        around = Around(dut=dut, rng=rng, words=words, pointer=pointer)
        await finish(around)
        order = np.argsort(chosen, axis=-1)
        uses = np.take_along_axis(chosen, order, -1).ravel().tolist()
        want = list(cached(uses, words, pointer))
        assert [use.expert for use in around.uses] == uses
        assert [use.place for use in around.uses] == [place for _, place in want]
        assert around.fetched == [e for e, (missed, _) in zip(uses, want, strict=True) if missed]
        scores = np.take_along_axis(weights, order, -1).ravel().tolist()
        owners = np.repeat(np.arange(tokens), top_k).tolist()
        assert [use.entry for use in around.uses] == list(zip(owners, scores, strict=True))


async def finish(around: Around) -> None:
    """Until everything has been used and given back."""
    d = around.dut
    for _ in range(40_000):
        await around.cycle()
        over = not int(d.walking.value) and not int(d.valid.value) and not around.running
        if over and not int(d.active.value):
            break
    else:
        raise AssertionError(f"no end after {len(around.uses)} uses")
    assert around.ends == 1
    assert int(d.release_to.value) == around.head


@pytest.mark.parametrize("seed", [1, 2])
def test_token_order(seed: int) -> None:
    run_bench(Bench(MACHINE), __name__, ("uses_are_those_of_a_cache",), seed=seed)
