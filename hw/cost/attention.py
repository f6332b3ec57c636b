"""Cycles of attention: one head a group, scores of the next block while this one is mixed."""

from typing import NamedTuple

import numpy as np

from m3vit.hw.cost.engine import UNIT, Engine
from m3vit.hw.cost.linear import readable
from m3vit.hw.formats import Float64
from m3vit.hw.layout.blocks import spans


class Operands(NamedTuple):
    """Q by pair and all of K: cycles at which they can be read.  V is there before K."""

    query: Float64
    key: float


class _Round:
    def __init__(self, engine: Engine, operands: Operands, tokens: int, head_dim: int) -> None:
        machine = engine.machine
        self.engine, self.operands = engine, operands
        self.key_passes = -(-tokens // machine.columns) * -(-head_dim // machine.rows)
        self.mix_tiles = -(-tokens // machine.rows)
        self.mix_panels = -(-head_dim // machine.columns)
        self.rate = engine.rates.hidden(head_dim // UNIT)
        self.given = engine.array.time - engine.assumptions.queued_passes * engine.array.length
        self.blocks = spans(tokens, max(1, machine.attention_pairs(tokens)))
        lanes = 2 * machine.rows * machine.groups
        self.exponential_rate = -(-lanes // machine.exponential_lanes)
        # the query block reads a step of a group each cycle, half of it where heads lie across
        parts = 1 if head_dim % (2 * UNIT) == 0 or machine.rows < 2 * UNIT else 2
        self.load_rate = machine.groups * -(-head_dim // machine.rows) * parts
        self.loaded = [0.0] * len(self.blocks)
        self.scored = [0.0] * len(self.blocks)
        self.done = np.zeros(len(self.blocks))

    def _load(self, number: int) -> float:
        """When the queries of the block are in the query block, which holds two."""
        start, end = self.blocks[number]
        begins = max(self.given, float(self.operands.query[end - 1]))
        if number:
            begins = max(begins, self.loaded[number - 1])
        if number > 1:
            begins = max(begins, self.scored[number - 2])
        latency = self.engine.assumptions.query_load_latency
        self.loaded[number] = begins + self.load_rate * (end - start) + latency
        return self.loaded[number]

    def scores(self, number: int) -> None:
        """Q of block ``number`` over all keys."""
        array = self.engine.array
        start, end = self.blocks[number]
        array.start_pass(end - start, ready=max(self._load(number), self.operands.key))
        if self.key_passes > 1:
            array.repeat(self.key_passes - 1, end - start)
        self.scored[number] = array.time

    def mix(self, number: int) -> None:
        """Probabilities of block ``number`` over all values."""
        engine, begun = self.engine, 0.0
        start, end = self.blocks[number]
        pairs = end - start
        length = pairs * self.exponential_rate
        ready = self.scored[number] + engine.assumptions.softmax_latency
        for panel in range(self.mix_panels):
            opens = ready if panel == 0 else 0.0
            room = engine.retire.room(pairs)
            if self.mix_tiles > 1:
                engine.array.start_pass(pairs, ready=opens, cause="softmax", length=length)
                if self.mix_tiles > 2:
                    engine.array.repeat(self.mix_tiles - 2, pairs, length)
                opens = 0.0
            begun = engine.array.start_pass(
                pairs, ready=opens, cause="softmax", room=room, length=length
            )
            done = engine.retire.take(begun, pairs, self.rate)
        self.done[number] = done + engine.assumptions.retire_latency


def run_attention(engine: Engine, operands: Operands, tokens: int, head_dim: int) -> Float64:
    """One round of up to ``groups`` heads; returns the cycle at which each pair's O can be read."""
    work = _Round(engine, operands, tokens, head_dim)
    work.scores(0)
    for number in range(len(work.blocks)):
        if number + 1 < len(work.blocks):
            work.scores(number + 1)
        work.mix(number)
    return readable(work.blocks, work.done)
