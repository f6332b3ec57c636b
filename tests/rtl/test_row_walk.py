"""Where the pieces of rows lie: RES from any token and channel, XN and QOH by whole or half
words, one walk behind the other."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.sim import Simulator

from m3vit.hw.machine import machine_preset
from m3vit.rtl.row_walk import RowWalk

MACHINE = machine_preset("mini")


@dataclass(frozen=True, kw_only=True)
class Walk:
    residual: int
    step: int
    units: int
    tokens: int
    first_token: int = 0
    first_channel: int = 0
    half_tokens: int = 0

    def places(self) -> Iterator[tuple[int, ...]]:
        """(bank, row, half, row_end, end, token) of every piece; rtl/DESIGN.md 3."""
        for token in range(self.tokens):
            for unit in range(0, self.units, self.step):
                row_end = int(unit + self.step == self.units)
                end = int(row_end and token == self.tokens - 1)
                yield (*self._place(token, unit), unit % 2, row_end, end, token)

    def _place(self, token: int, unit: int) -> tuple[int, int]:
        if self.residual:
            place, word = self.first_token + token, self.first_channel + unit
            row = (2 * (word // 8) + place % 2) * self.half_tokens + place // 2
            return (word + 4 * (place % 2)) % 8, row
        return unit // 2 % 4, unit // 8 * self.tokens + token


def random_walk(rng: random.Random) -> Walk:
    tokens = rng.choice((1, 2, rng.randint(3, 9)))
    units = rng.choice((1, 8, rng.randint(1, 24)))
    if rng.random() < 0.5:
        first, whole = rng.randint(0, 5), rng.randint(0, 4)
        half = -(-(first + tokens + whole) // 2)
        channel = rng.choice((0, 7, rng.randint(0, 30)))
        return Walk(
            residual=1,
            step=1,
            units=units,
            tokens=tokens,
            first_token=first,
            first_channel=channel,
            half_tokens=half,
        )
    step = rng.choice((1, 2))
    return Walk(residual=0, step=step, units=units * step, tokens=tokens)


def test_places_follow_the_stores() -> None:
    dut, rng = RowWalk(MACHINE), random.Random(13)
    ports = (dut.bank, dut.row, dut.half, dut.row_end, dut.end, dut.token)

    async def follow(ctx: Any, walk: Walk, share: float) -> None:
        for piece in walk.places():
            while not ctx.get(dut.valid) or rng.random() < share:
                await ctx.tick()
            assert tuple(ctx.get(port) for port in ports) == piece, walk
            ctx.set(dut.next, 1)
            await ctx.tick()
            ctx.set(dut.next, 0)
        await ctx.tick()
        assert not ctx.get(dut.valid)

    async def check(ctx: Any) -> None:
        for _ in range(40):
            walk = random_walk(rng)
            for name, value in vars(walk).items():
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await follow(ctx, walk, rng.choice((0.0, 0.4)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(check)
    simulator.run()


def test_a_piece_a_cycle_and_a_start_ends_a_walk() -> None:
    dut = RowWalk(MACHINE)

    async def check(ctx: Any) -> None:
        for name, value in vars(Walk(residual=0, step=2, units=16, tokens=3)).items():
            ctx.set(getattr(dut, name), value)
        ctx.set(dut.next, 1)
        for pieces in (5, 24):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            while not ctx.get(dut.valid):
                await ctx.tick()
            for _ in range(pieces):
                assert ctx.get(dut.valid)
                await ctx.tick()
        assert not ctx.get(dut.valid) and ctx.get(dut.token) == 3

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(check)
    simulator.run()
