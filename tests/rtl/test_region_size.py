"""Ring words of every command that streams linear layers, against the layout's sizes."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from m3vit.hw.commands.fields import WORD_BITS, Op, Post
from m3vit.hw.commands.word import Command
from m3vit.hw.layout.sizes import (
    aligned,
    expert_bytes,
    gate_bytes,
    linear_bytes,
    qkv_bytes,
)
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.rtl.fetch import layers
from m3vit.rtl.region_size import WORDS_BITS, RegionSize
from tests.rtl.bench.commands import command_of, word_of

LONGEST = 32
"""Cycles."""


class Sized(Component):
    """The block behind the decoder of a command."""

    def __init__(self, machine: MachineConfig) -> None:
        self.size = RegionSize(machine)
        outer = {"busy": 1, "panels0": 8, "panels1": 8, "first": WORDS_BITS, "words": WORDS_BITS}
        outputs = {name: Out(bits) for name, bits in outer.items()}
        super().__init__({"start": In(1), "word": In(WORD_BITS), **outputs})
        self.outer = tuple(outer)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.size = self.size
        m.d.comb += [*layers(self.size, self.word), self.size.start.eq(self.start)]
        m.d.comb += [getattr(self, name).eq(getattr(self.size, name)) for name in self.outer]
        return m


def gemm(inner: int, outputs: int) -> Command:
    return command_of(Op.GEMM, inner=inner, outputs=outputs, post=Post.INT8)


def qkv(inner: int, head_dim: int, heads: int) -> Command:
    return command_of(Op.GEMM, inner=inner, head_dim=head_dim, heads=heads, post=Post.QKV)


def gate(width: int, experts: int) -> Command:
    return command_of(Op.GATE, width=width, experts=experts)


def expert(width: int, hidden: int) -> Command:
    return command_of(Op.EXPERTS, width=width, hidden=hidden, experts=3)


def commands(machine: MachineConfig, rng: random.Random) -> Iterator[Command]:
    """The limits, then what comes."""
    most = machine.max_width
    for wide in (16, most, *(16 * rng.randint(1, most // 16) for _ in range(12))):
        for other in (16, most, 16 * rng.randint(1, most // 16)):
            yield gemm(wide, other)
            yield expert(wide, other)
        yield gemm(rng.randint(1, 768), rng.randint(1, most))
        for head_dim in (16, 32, 48, 64):
            yield qkv(wide, head_dim, rng.randint(1, machine.groups))
        for experts in (1, machine.max_experts, rng.randint(1, machine.max_experts)):
            yield gate(wide, experts)


def size_of(machine: MachineConfig, command: Command) -> tuple[int, int]:
    """Bytes of all, and of the first of two layers."""
    if command.op is Op.GATE:
        return gate_bytes(machine, command["width"], command["experts"]), 0
    if command.op is Op.EXPERTS:
        width, hidden = command["width"], command["hidden"]
        return expert_bytes(machine, width, hidden), linear_bytes(machine, width, hidden)
    if command["post"] == Post.QKV:
        return qkv_bytes(machine, command["inner"], command["head_dim"]), 0
    return linear_bytes(machine, command["inner"], command["outputs"]), 0


@pytest.mark.parametrize("name", ["mini", "zcu104"])
def test_sizes_are_those_of_the_layout(name: str) -> None:
    machine, rng = machine_preset(name), random.Random(31)
    dut = Sized(machine)

    async def check(ctx: Any) -> None:
        for command in commands(machine, rng):
            ctx.set(dut.word, word_of(command))
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            cycles = 0
            while ctx.get(dut.busy):
                await ctx.tick()
                cycles += 1
            ctx.set(dut.word, word_of(gemm(16, 16)))
            await ctx.tick().repeat(rng.randrange(1, 4))
            assert cycles <= LONGEST
            size, first = size_of(machine, command)
            words = aligned(size, machine.stream_unit) // machine.word_bytes
            assert ctx.get(dut.words) == words, command
            if command.op is Op.EXPERTS:
                units = (command["hidden"] // 16, command["width"] // 16)
                panels = tuple(-(-each // machine.groups) for each in units)
                assert ctx.get(dut.first) * machine.word_bytes == first
                assert (ctx.get(dut.panels0), ctx.get(dut.panels1)) == panels

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(check)
    simulator.run()
