"""Jobs of live experts between those fetched in vain, lists given back when nobody reads them;
chunks of a dense MLP."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from amaranth.sim import Simulator

from m3vit.hw.commands.fields import Flag, Op
from m3vit.hw.machine import machine_preset
from m3vit.rtl.expert_run import ExpertRun
from m3vit.rtl.passes import NUMBER_BITS, RING_BITS
from tests.rtl.bench.commands import command_of, word_of

MACHINE = machine_preset("mini")
FIRST, WORDS = 40, 96
"""Ring words of the first layer, of both."""
PANELS = (3, 5)
TOKENS = 50
LIMIT = 6000


@dataclass(frozen=True, kw_only=True)
class Case:
    """``counts``: tokens of every expert; ``early``: fetched before the plan was known; or
    ``uses``, token by token: where the expert lies in the ring.
    """

    counts: tuple[int, ...]
    early: int = 0
    identity: bool = False
    uses: tuple[int, ...] = ()

    @property
    def flags(self) -> Flag:
        return Flag.IDENTITY if self.identity else Flag(0) if self.uses else Flag.REORDER

    @property
    def lists(self) -> list[tuple[int, int, int]]:
        """Expert, tokens, place in the ring (in token order only)."""
        if self.uses:
            return [(len(self.counts) - 1 - use, 1, use) for use in self.uses]
        live = [(e, n, 0) for e, n in enumerate(self.counts) if n]
        return [] if self.identity else live

    @property
    def ring(self) -> list[int]:
        """Experts in the order in which they lie in the ring."""
        if self.uses:
            return list(range(max(self.uses) + 1))
        late = (e for e, n in enumerate(self.counts) if n and e >= self.early)
        return [*range(self.early), *late]

    def jobs(self, pointer: int) -> Iterator[dict[str, int]]:
        """What is known of every job; buffers in turn, skip behind experts without tokens."""
        live = [e for e, n in enumerate(self.counts) if n]
        before = -1
        for number, expert in enumerate(self.uses or live):
            place = self.ring.index(expert)
            vain = place - 1 - (self.ring.index(before) if before >= 0 else -1)
            vain = 0 if self.uses else vain
            at = pointer + WORDS * place
            routed = 1 if self.uses else self.counts[expert]
            common = {
                "tokens": TOKENS if self.identity else routed,
                "gather": int(not self.identity),
                **({} if self.identity else {"buffer": number % 2}),
            }
            yield {**common, "address": at % 2**16, "skip": int(vain > 0), "panels": PANELS[0]}
            yield {
                **common,
                "address": (at + FIRST) % 2**16,
                "skip": 0,
                "panels": PANELS[1],
                "follow": 1,
                "weighted": int(not self.identity),
                "publish_all": int(self.identity and expert == live[-1]),
            }
            before = expert


@dataclass
class Array:
    """Takes jobs, makes some results of each, retires them later; none is made before the job in
    front of it is through."""

    rng: random.Random
    made: int
    retired: int
    to_make: int = 0

    def give(self) -> None:
        self.to_make = self.rng.randint(1, 3)

    def step(self) -> None:
        if self.to_make and self.rng.random() < 0.3:
            self.made, self.to_make = self.made + 1, self.to_make - 1
        if self.retired < self.made and self.rng.random() < 0.25:
            self.retired += 1

    @property
    def through(self) -> bool:
        return self.to_make == 0 and self.retired == self.made


@dataclass
class Lists:
    """Builds lists one by one as long as fewer than two are in use."""

    rng: random.Random
    left: deque[tuple[int, int, int]]
    held: int = 0
    buffer: int = 0
    offered: deque[tuple[int, int, int, int]] = field(default_factory=deque)

    def step(self) -> None:
        if self.left and self.held < 2 and self.rng.random() < 0.05:
            self.offered.append((*self.left.popleft(), self.buffer))
            self.held, self.buffer = self.held + 1, 1 - self.buffer


class Bench:
    """Everything around the unit for one command."""

    def __init__(self, ctx: Any, dut: ExpertRun, case: Case, rng: random.Random) -> None:
        self.ctx, self.dut, self.case, self.rng = ctx, dut, case, rng
        number = rng.choice((0, (1 << NUMBER_BITS) - rng.randint(1, 30)))
        self.array = Array(rng, number, number)
        self.lists = Lists(rng, deque(case.lists))
        self.pointer = rng.choice((0, (1 << RING_BITS) - 200, rng.getrandbits(RING_BITS)))
        self.wanted = deque(case.jobs(self.pointer))
        self.decides = rng.choice((0, 5, 150))
        self.reading: deque[int | None] = deque()
        """Last result of every list taken, once its second layer has been made."""
        self.started = self.published = self.skipped = self.cycles = 0

    async def begin(self) -> None:
        fields = {"experts": len(self.case.counts), "width": 96, "hidden": 48}
        inputs = {
            "word": word_of(command_of(Op.EXPERTS, self.case.flags, TOKENS, **fields)),
            "tokens": TOKENS,
            "pointer": self.pointer,
            "panels0": PANELS[0],
            "panels1": PANELS[1],
            "first": FIRST,
            "words": WORDS,
            "start": 1,
        }
        for name, value in inputs.items():
            self.ctx.set(getattr(self.dut, name), value)
        await self.cycle()
        self.ctx.set(self.dut.start, 0)

    def _drive(self) -> None:
        mask = (1 << NUMBER_BITS) - 1
        decided = self.cycles >= self.decides
        offered = self.lists.offered[0] if self.lists.offered else (0, 0, 0, 0)
        place = offered[2] if self.lists.offered else len(self.case.ring)
        values = {
            "decided": decided,
            "early": self.case.early if decided else self.rng.getrandbits(9),
            "list_valid": bool(self.lists.offered),
            "list_expert": offered[0],
            "list_count": offered[1],
            "list_buffer": offered[3],
            "list_place": (self.pointer + WORDS * place) % (1 << RING_BITS),
            "lists_exhausted": not self.lists.offered and not self.lists.left,
            "made": self.array.made & mask,
            "retired": self.array.retired & mask,
            "settled": self.array.retired == self.array.made,
            "jobs_idle": self.array.to_make == 0,
        }
        for name, value in values.items():
            self.ctx.set(getattr(self.dut, name), int(value))
        takes = self.array.to_make == 0 and self.rng.random() < 0.5
        self.ctx.set(self.dut.gemm.ready, int(takes))

    async def cycle(self) -> bool:
        """One clock; whether the command is done."""
        ctx, dut = self.ctx, self.dut
        self._drive()
        job = ctx.get(dut.gemm.payload)
        if ctx.get(dut.gemm.valid) and ctx.get(dut.gemm.ready):
            self._take(job)
        if ctx.get(dut.list_ready):
            self.lists.offered.popleft()
            self.reading.append(None)
        if ctx.get(dut.list_free):
            self._free()
        if ctx.get(dut.publish_all):
            assert not self.wanted and self.array.through
            self.published += 1
            self.skipped += ctx.get(dut.skip)
        else:
            assert not ctx.get(dut.skip)
        self.started += ctx.get(dut.lists_start)
        done = bool(ctx.get(dut.done))
        if self.started:
            self.lists.step()
        self.array.step()
        self.cycles += 1
        await ctx.tick()
        return done

    def _take(self, job: Any) -> None:
        want = self.wanted.popleft()
        assert {name: int(getattr(job, name)) for name in want} == want
        assert self.cycles > self.decides or self.case.identity
        if self.reading and not job.follow and len(self.reading) == 2:
            self.reading[0] = self.array.made  # the one before is made to its end
        self.array.give()

    def _free(self) -> None:
        """Of the oldest: every result that read it has retired."""
        last = self.reading.popleft()
        if last is None:
            assert not self.wanted and self.array.through
        else:
            assert self.array.retired >= last
        self.lists.held -= 1

    async def end(self) -> None:
        """Nothing is left; the ring may be used again up to the last word."""
        case = self.case
        assert not self.wanted and not self.reading and self.lists.held == 0
        assert self.started == self.published == int(not case.identity)
        last_live = max(e for e, n in enumerate(case.counts) if n)
        vain = not case.identity and not case.uses and case.ring[-1] > last_live
        assert self.skipped == int(vain)
        after = self.pointer + WORDS * len(case.ring)
        assert self.ctx.get(self.dut.after) == after % (1 << RING_BITS)


def cases(rng: random.Random) -> Iterator[Case]:
    """One live expert or all, the first or the last, none fetched in vain or all but one; dense
    chunks; token by token.
    """
    most = 9
    for count in ((0,) * 8 + (7,), (50,) + (0,) * 8, (0, 0, 1, 0, 0), (3,), (5,) * most):
        for early in sorted({0, 1, len(count) // 2, len(count)}):
            yield Case(counts=count, early=early)
    for _ in range(12):
        counts = [rng.choice((0, rng.randint(1, 50))) for _ in range(rng.randint(2, most))]
        counts[rng.randrange(len(counts))] = 9
        yield Case(counts=tuple(counts), early=rng.randint(0, len(counts)))
    for chunks in (1, 2, 5):
        yield Case(counts=(TOKENS,) * chunks, identity=True)
    for uses in (1, 2, 30):
        places = tuple(rng.randrange(most) for _ in range(uses))
        yield Case(counts=(1,) * most, uses=places)


def test_expert_run() -> None:
    """One command behind the other, nothing is reset between them."""
    dut, rng = ExpertRun(MACHINE), random.Random(41)

    async def check(ctx: Any) -> None:
        for case in rng.sample(found := list(cases(rng)), len(found)):
            bench = Bench(ctx, dut, case, rng)
            await bench.begin()
            while not await bench.cycle():
                assert bench.cycles < LIMIT, case
            await bench.end()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(check)
    simulator.run()
