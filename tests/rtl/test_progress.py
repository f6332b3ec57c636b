"""Progress: what a job may read before the layer in front of it is complete, against a list."""

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from m3vit.rtl.passes import Post
from m3vit.rtl.progress import Progress

Given = dict[str, Any]


def layer(post: Post, panels: int, blocks: list[int], block_order: bool) -> list[Given]:
    """Passes with results; the last panel of each block publishes, if the layer is Q or O."""
    spans = [(sum(blocks[:i]), size) for i, size in enumerate(blocks)]
    order = [(panel, span) for panel in range(panels) for span in spans]
    if block_order:
        order = [(panel, span) for span in spans for panel in range(panels)]
    publishes = post in (Post.HIDDEN, Post.OUTPUT)
    return [
        {
            "post": post,
            "publish": int(publishes and panel == panels - 1),
            "first_pair": first,
            "pairs": pairs,
        }
        for panel, (first, pairs) in order
    ]


def expected(passes: list[Given]) -> tuple[int, int]:
    """Pairs complete before the last block of the newest layer, and the number that says so."""
    done: list[tuple[int, int]] = []
    for number, each in enumerate(passes, 1):
        if each["post"] not in (Post.HIDDEN, Post.OUTPUT, Post.GELU):
            continue
        if each["first_pair"] == 0:
            done = []
        if each["publish"]:
            done.append((each["first_pair"] + each["pairs"], number))
    return done[-2] if len(done) > 1 else (0, 0)


LAYERS = {
    "queries block by block": [(Post.HIDDEN, 2, [32, 17, 16], True)],
    "queries panel by panel": [(Post.HIDDEN, 2, [32, 17, 16], False)],
    "one block": [(Post.HIDDEN, 2, [9], True)],
    "outputs behind queries": [
        (Post.HIDDEN, 2, [32, 17, 16], True),
        (Post.OUTPUT, 2, [33, 32], True),
    ],
    "one block behind three": [(Post.HIDDEN, 1, [8, 8, 8], True), (Post.OUTPUT, 2, [24], True)],
    "hidden activations": [(Post.OUTPUT, 1, [20, 20], True), (Post.GELU, 2, [20, 20], False)],
    "residuals change nothing": [(Post.OUTPUT, 1, [20, 20], True), (Post.RESIDUAL, 2, [40], True)],
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS.keys())
def test_all_blocks_but_the_last_are_early(layers: list[Any]) -> None:
    passes = [each for one in layers for each in layer(*one)]
    pairs, number = expected(passes)
    dut, rng = Progress(), np.random.default_rng(1)

    async def give(ctx: Any) -> None:
        for index, each in enumerate(passes, 1):
            await ctx.tick().repeat(int(rng.integers(1, 4)))
            for name, value in {**each, "number": index}.items():
                ctx.set(getattr(dut.given, name), value)
            ctx.set(dut.enable, 1)
            await ctx.tick()
            ctx.set(dut.enable, 0)
        assert ctx.get(dut.early.pairs) == pairs
        assert not pairs or ctx.get(dut.early.number) == number

    simulate(dut, give)


def simulate(dut: Progress, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


def test_keys_and_what_is_still_mixing() -> None:
    dut = Progress()

    async def give(ctx: Any) -> None:
        for number, post in ((65534, Post.KEY), (65535, Post.HIDDEN), (0, Post.OUTPUT)):
            ctx.set(dut.given.post, post)
            ctx.set(dut.given.number, number)
            ctx.set(dut.enable, 1)
            ctx.set(dut.retired, 65530)
            await ctx.tick()
            ctx.set(dut.enable, 0)
        assert ctx.get(dut.keys) == 65534 and ctx.get(dut.mixing)
        ctx.set(dut.retired, 65535)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.mixing)
        ctx.set(dut.retired, 0)
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.mixing)

    simulate(dut, give)
