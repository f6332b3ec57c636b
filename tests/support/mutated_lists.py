"""Command lists that are wrong somewhere: fields, bits, order, windows and task at random."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from m3vit.hw.commands.extent import reads_of, writes_of
from m3vit.hw.commands.fields import HEADER, HEADER_BITS, SPECS, WORD_BITS, WORD_BYTES, Base, Op
from m3vit.hw.commands.rules import attention_ranges, ranges
from m3vit.hw.commands.word import Command, encode
from m3vit.hw.layout.sizes import panel_bytes
from m3vit.hw.machine import MachineConfig

UNIT = 64


@dataclass(frozen=True, kw_only=True)
class Case:
    """A list with the registers that it is run with; ``windows`` in units of 64 bytes."""

    words: tuple[bytes, ...]
    windows: tuple[int, int, int, int]
    task: int = 0
    trace: bool = True

    @property
    def window_bytes(self) -> Mapping[Base, int]:
        """As the reference takes them."""
        sizes = {base: UNIT * self.windows[base] for base in Base}
        return {base: size for base, size in sizes.items() if self.trace or base != Base.TRACE}


def valid_case(commands: Sequence[Command], sizes: Mapping[Base, int]) -> Case:
    """A list as the compiler made it."""
    windows = [-(-sizes[base] // UNIT) for base in Base]
    return Case(
        words=tuple(encode(command) for command in commands),
        windows=(windows[0], windows[1], windows[2], windows[3]),
    )


def excerpt(rng: random.Random, commands: Sequence[Command], most: int) -> list[Command]:
    """CONFIG, some of the commands, END."""
    inner = rng.sample(range(1, len(commands) - 1), min(most, len(commands) - 2))
    return [commands[0], *(commands[index] for index in sorted(inner)), commands[-1]]


def mutated(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    """``case`` with one thing changed; an empty list stays as it is."""
    if not case.words:
        return case
    how = rng.choice(
        (_field, _field, _field, _limit, _limit, _bit, _order, _count, _window, _task, _group)
    )
    return how(rng, case, machine)


def _with(case: Case, index: int, word: int) -> Case:
    words = list(case.words)
    words[index] = word.to_bytes(WORD_BYTES, "little")
    return replace(case, words=tuple(words))


def _layout(word: int) -> dict[str, tuple[int, int]]:
    """Place and width of every field."""
    found, at = {}, 0
    for field in HEADER:
        found[field.name] = (at, field.bits)
        at += field.bits
    at = HEADER_BITS
    op = word & 63
    for field in SPECS[Op(op)].fields if op in SPECS else ():
        found[field.name] = (at, field.bits)
        at += field.bits
    return found


def _set(word: int, place: tuple[int, int], value: int) -> int:
    at, bits = place
    mask = ((1 << bits) - 1) << at
    return word & ~mask | value << at & mask


def _field(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    """A field a little off, or anything."""
    index = rng.randrange(len(case.words))
    word = int.from_bytes(case.words[index], "little")
    at, bits = rng.choice(list(_layout(word).values()))
    old = word >> at & ((1 << bits) - 1)
    value = rng.choice((old + 1, old - 1, 0, (1 << bits) - 1, 2 * old, rng.randrange(1 << bits)))
    return _with(case, index, _set(word, (at, bits), max(0, value)))


def _limit(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    """An operand at one of its limits or just beyond it."""
    index = rng.randrange(len(case.words))
    word = int.from_bytes(case.words[index], "little")
    if word & 63 not in SPECS:
        return case
    op = Op(word & 63)
    limits = [*ranges(op, machine), *(attention_ranges(machine) if op is Op.GEMM else ())]
    if not limits:
        return case
    limit = rng.choice(limits)
    unit = next(field.unit for field in SPECS[op].fields if field.name == limit.field)
    value = rng.choice((limit.low, limit.high)) // unit + rng.choice((-1, 0, 0, 1))
    return _with(case, index, _set(word, _layout(word)[limit.field], max(0, value)))


def _bit(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    index = rng.randrange(len(case.words))
    word = int.from_bytes(case.words[index], "little")
    return _with(case, index, word ^ 1 << rng.randrange(WORD_BITS))


def _order(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    words = list(case.words)
    here, there = rng.randrange(len(words)), rng.randrange(len(words))
    words[here], words[there] = words[there], words[here]
    return replace(case, words=tuple(words))


def _count(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    """The end cut off, or a command twice."""
    if rng.random() < 0.5:
        return replace(case, words=case.words[: rng.randrange(len(case.words))])
    index = rng.randrange(len(case.words))
    return replace(case, words=(*case.words[:index], case.words[index], *case.words[index:]))


def _group(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    """A group of panels that just fills the ring, or is just too large."""
    index = rng.randrange(len(case.words))
    word = int.from_bytes(case.words[index], "little")
    if word & 63 != Op.GEMM:
        return case
    places = _layout(word)
    at, bits = places["inner"]
    inner = word >> at & ((1 << bits) - 1)
    panels = machine.ring_bytes // panel_bytes(machine, inner) + rng.choice((0, 1))
    return _with(case, index, _set(word, places["panels_group"], panels))


def _window(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    windows = list(case.windows)
    base = rng.randrange(4)
    windows[base] = max(0, windows[base] - rng.choice((1, 1, 2, rng.randrange(1, 1 << 10))))
    return replace(
        case,
        windows=(windows[0], windows[1], windows[2], windows[3]),
        trace=rng.random() < 0.7,
    )


def _task(rng: random.Random, case: Case, machine: MachineConfig) -> Case:
    return replace(case, task=rng.choice((1, 2, 255, 256, 1 << 31, rng.randrange(1 << 32))))


def fitted(case: Case, commands: Sequence[Command], machine: MachineConfig) -> Case:
    """``case`` with the package's window just as large as its ``commands`` need."""
    ends = [
        extent.end
        for command in commands
        for extent in (*reads_of(command, machine), *writes_of(command))
        if extent.base is Base.PACKAGE
    ]
    need = -(-max(ends, default=0) // UNIT)
    return replace(case, windows=(need, *case.windows[1:]))
