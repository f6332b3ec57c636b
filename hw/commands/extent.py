"""Which bytes of DRAM a command touches."""

from collections.abc import Iterator
from dataclasses import dataclass

from m3vit.hw.commands.fields import Base, Element, Flag, Op, Post
from m3vit.hw.commands.word import Command
from m3vit.hw.layout.sizes import (
    aligned,
    expert_bytes,
    gate_bytes,
    gelu_bytes,
    layernorm_bytes,
    linear_bytes,
    qkv_bytes,
)
from m3vit.hw.machine import MachineConfig

ELEMENT_BYTES = {Element.INT8: 1, Element.INT16: 2, Element.INT32: 4, Element.PLAN: 4}
"""DRAM bytes of one element."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """A contiguous range of bytes relative to a base register."""

    base: Base
    start: int
    size: int

    @property
    def end(self) -> int:
        """First byte behind the range."""
        return self.start + self.size


def _dma(command: Command) -> Extent:
    row = command["elements"] * ELEMENT_BYTES[Element(command["element"])]
    size = max(0, command.tokens - 1) * command["stride"] + row
    return Extent(base=Base(command["base"]), start=command["address"], size=size)


def _package(start: int, size: int) -> Extent:
    return Extent(base=Base.PACKAGE, start=start, size=size)


def _gemm(command: Command, machine: MachineConfig) -> Extent:
    if command["post"] == Post.QKV:
        size = qkv_bytes(machine, command["inner"], command["head_dim"])
    else:
        size = linear_bytes(machine, command["inner"], command["outputs"])
    return _package(command["weights"], aligned(size, machine.stream_unit))


def _experts(command: Command, machine: MachineConfig) -> Iterator[Extent]:
    one = expert_bytes(machine, command["width"], command["hidden"])
    one = aligned(one, machine.stream_unit)
    yield _package(command["weights"], (command["experts"] - 1) * command["stride"] + one)
    yield _package(command["gelu"], gelu_bytes(machine))


def reads_of(command: Command, machine: MachineConfig, task: int = 0) -> Iterator[Extent]:
    """Ranges read, whole stream units of weights; for GATE those of ``task``."""
    if command.op is Op.DMA and not command.flags & Flag.WRITE:
        yield _dma(command)
    elif command.op is Op.NORM:
        yield _package(command["table"], layernorm_bytes(machine, command["width"]))
    elif command.op is Op.GEMM:
        yield _gemm(command, machine)
    elif command.op is Op.GATE:
        size = gate_bytes(machine, command["width"], command["experts"])
        start = command["weights"] + task * command["stride"]
        yield _package(start, aligned(size, machine.stream_unit))
    elif command.op is Op.EXPERTS:
        yield from _experts(command, machine)


def writes_of(command: Command) -> Iterator[Extent]:
    """Ranges written."""
    if command.op is Op.DMA and command.flags & Flag.WRITE:
        yield _dma(command)
