"""The product of two numbers: every value at the limits, as many cycles as b has bits."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from m3vit.rtl.product import Product


@pytest.mark.parametrize("a_bits, b_bits", [(1, 1), (12, 20), (20, 12), (4, 4)])
def test_products(a_bits: int, b_bits: int) -> None:
    dut, rng = Product(a_bits, b_bits), random.Random(7)
    most = ((1 << a_bits) - 1, (1 << b_bits) - 1)
    pairs = [(0, 0), (0, most[1]), (most[0], 0), (1, most[1]), (most[0], 1), most]
    pairs += [(rng.randint(0, most[0]), rng.randint(0, most[1])) for _ in range(60)]

    async def check(ctx: Any) -> None:
        for a, b in pairs:
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.a, rng.randint(0, most[0]))
            ctx.set(dut.b, rng.randint(0, most[1]))
            cycles = 0
            while ctx.get(dut.busy):
                await ctx.tick()
                cycles += 1
            assert (cycles, ctx.get(dut.p)) == (b.bit_length(), a * b)
            await ctx.tick().repeat(rng.randrange(1, 4))
            assert ctx.get(dut.p) == a * b

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(check)
    simulator.run()


def test_a_start_while_busy_begins_anew() -> None:
    dut = Product(8, 8)

    async def check(ctx: Any) -> None:
        for a, b in ((255, 255), (3, 5)):
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            ctx.set(dut.start, 1)
            await ctx.tick()
        ctx.set(dut.start, 0)
        await ctx.tick().repeat(3)
        assert (ctx.get(dut.busy), ctx.get(dut.p)) == (0, 15)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(check)
    simulator.run()
