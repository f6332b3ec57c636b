"""Cycles of attention: one head a group, scores of the next block while this one is mixed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from m3vit.hw.cost.engine import Engine, split
from m3vit.hw.formats import Float64


class Operands(NamedTuple):
    """[pairs]: cycles at which the round's Q, K and V can be read."""

    query: Float64
    key: Float64
    value: Float64


class _Round:
    def __init__(self, engine: Engine, operands: Operands, tokens: int, head_dim: int) -> None:
        machine, assumptions = engine.machine, engine.assumptions
        self.engine = engine
        self.operands = operands
        self.refill = assumptions.tile_refill_cycles
        self.key_tiles = -(-tokens // machine.columns)
        self.key_depth = -(-head_dim // machine.rows)
        self.mix_tiles = -(-tokens // machine.rows)
        self.mix_panels = -(-head_dim // machine.columns)
        pairs = -(-tokens // 2)
        self.blocks = split(pairs, max(1, machine.attention_pairs(tokens)))
        self.scored = [0.0] * len(self.blocks)
        self.done = np.zeros(pairs)
        lanes = 2 * machine.rows * machine.groups
        self.exponential_rate = -(-lanes // machine.exponential_lanes)

    def _passes(
        self, ready: Sequence[float], count: int, pairs: int, shortest: int, cause: str
    ) -> float:
        """``count`` passes, of which the first ``len(ready)`` have something to wait for."""
        array, begun = self.engine.array, 0.0
        for cycle in ready:
            begun = array.start_pass(
                pairs, self.refill, ready=cycle, cause=cause, shortest=shortest
            )
        if count > len(ready):
            begun = array.repeat(count - len(ready), pairs, self.refill, shortest)
        return begun

    def _written(self, store: Float64, tiles: int, tokens_a_tile: int) -> Float64:
        """[tiles]: when the last token of each tile of keys was written."""
        last = ((np.arange(tiles) + 1) * tokens_a_tile - 1) // 2
        written: Float64 = store[np.minimum(last, len(store) - 1)]
        return written

    def scores(self, number: int) -> None:
        """Q of block ``number`` over all keys; the first block meets keys still being written."""
        engine = self.engine
        start, end = self.blocks[number]
        pairs = end - start
        loaded = float(self.operands.query[start:end].max())
        loaded += engine.assumptions.query_load_latency
        if number:
            ready = [loaded]
        else:
            written = self._written(self.operands.key, self.key_tiles, engine.machine.columns)
            tiles = np.repeat(written + self.refill, self.key_depth)
            ready = [max(loaded + pairs - 1, float(tiles[0])), *map(float, tiles[1:])]
        shortest = engine.assumptions.accumulator_revisit if self.key_depth > 1 else 1
        self._passes(ready, self.key_tiles * self.key_depth, pairs, shortest, "operand")
        latency = engine.assumptions.result_latency + engine.assumptions.softmax_latency
        self.scored[number] = engine.array.time + latency

    def mix(self, number: int) -> None:
        """Probabilities of block ``number`` over all values."""
        engine = self.engine
        start, end = self.blocks[number]
        pairs = end - start
        shortest = max(engine.assumptions.accumulator_revisit, pairs * self.exponential_rate)
        longest = max(shortest, pairs * engine.requantise_rate)
        ready = [self.scored[number]]
        if number == 0:
            written = self._written(self.operands.value, self.mix_tiles, engine.machine.rows)
            ready = [max(self.scored[0], float(cycle)) for cycle in written]
        begun, body = 0.0, self.mix_tiles - 1
        for _ in range(self.mix_panels):
            self._passes(ready[:body], body, pairs, shortest, "softmax")
            begun = self._passes(ready[body:], 1, pairs, longest, "softmax")
            ready = []
        latency = engine.assumptions.result_latency + engine.assumptions.mix_latency
        self.done[start:end] = begun + latency + np.arange(pairs)


def run_attention(engine: Engine, operands: Operands, tokens: int, head_dim: int) -> Float64:
    """One round of up to ``groups`` heads; returns the cycle at which each pair's O can be read."""
    work = _Round(engine, operands, tokens, head_dim)
    work.scores(0)
    for number in range(len(work.blocks)):
        if number + 1 < len(work.blocks):
            work.scores(number + 1)
        work.mix(number)
    return work.done
