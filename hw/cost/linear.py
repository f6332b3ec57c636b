"""Cycles of a linear layer: panels of weights from the ring over blocks of token pairs."""

from dataclasses import dataclass

import numpy as np

from m3vit.hw.cost.engine import Engine
from m3vit.hw.formats import Float64
from m3vit.hw.layout.blocks import Block
from m3vit.hw.layout.sizes import PARAMETER_BYTES, panel_bytes


@dataclass(frozen=True, kw_only=True)
class LinearTimes:
    """``retired`` [blocks, panels]: cycle at which the results of a block's panel can be read;
    ``ordered``: blocks were outside."""

    blocks: list[Block]
    retired: Float64
    ordered: bool

    def made(self, block: int, panel: int) -> float:
        """When a layer that follows may read channels of ``panel`` in its block ``block``."""
        return float(self.retired[block if self.ordered else -1, panel])

    def readable(self, panel: int = -1) -> Float64:
        """[pairs]: when another operator may read the results up to ``panel``.

        A block counts as complete once the next one is given: all but the last are early
        (rtl/progress.py).
        """
        return readable(self.blocks, self.retired[:, panel])

    def published(self, delay: float) -> Float64:
        """[pairs]: when LayerNorm may read the residual, block by block."""
        pairs = [end - start for start, end in self.blocks]
        written: Float64 = np.repeat(self.retired[:, -1] + delay, pairs)
        return written


def readable(blocks: list[Block], done: Float64) -> Float64:
    """[pairs]: when blocks that are complete at ``done`` [blocks] can be read elsewhere."""
    ready: Float64 = np.full(blocks[-1][1], done[-1])
    if len(blocks) > 1:
        ready[: blocks[-1][0]] = done[-2]
    return ready


@dataclass(frozen=True, kw_only=True)
class LinearLayer:
    """One linear layer on the array.

    ``rates`` has one entry a panel: cycles in which the results of a pair leave.  ``group``: panels
    that stay in the ring while all blocks pass over them, 1 for panel outside.  ``ready`` [pairs]
    is the cycle at which each pair can be read; ``follows``: the layer before, whose outputs are
    read panel by panel.
    """

    blocks: list[Block]
    inner: int
    rates: tuple[int, ...]
    kind: str
    group: int = 1
    ready: Float64 | None = None
    cause: str = "operand"
    follows: LinearTimes | None = None
    not_before: float = 0.0


def contraction_tiles(engine: Engine, inner: int) -> int:
    """Weight tiles along the contraction."""
    return -(-inner // engine.machine.rows)


def fitting_panels(engine: Engine, inner: int, panels: int) -> int:
    """Panels of a group, as the compiler chooses it (hw/compiler/linear.py)."""
    room = int(engine.assumptions.ring_share * engine.machine.ring_bytes)
    return max(1, min(panels, room // panel_bytes(engine.machine, inner)))


class _Run:
    def __init__(self, engine: Engine, layer: LinearLayer) -> None:
        self.engine, self.layer = engine, layer
        machine = engine.machine
        self.tiles = contraction_tiles(engine, layer.inner)
        head = machine.panel * PARAMETER_BYTES
        self.sizes = [head + machine.tile_bytes] + [machine.tile_bytes] * (self.tiles - 1)
        ends = (np.arange(self.tiles) + 1) * machine.rows - 1
        self.sources = (ends // machine.panel).tolist()
        self.retired = np.zeros((len(layer.blocks), len(layer.rates)))

    def panel(self, number: int, panel: int, fresh: bool) -> None:
        """Block ``number`` over one panel; ``fresh``: its weights come from DRAM now."""
        start, end = self.layer.blocks[number]
        pairs, last = end - start, number == len(self.layer.blocks) - 1
        ready = 0.0 if self.layer.ready is None else float(self.layer.ready[end - 1])
        if not fresh and not last and not self._waits(number):
            begun = self._from_ring(pairs, ready)
        else:
            begun = self._tile_by_tile(number, pairs, ready, fresh, last)
        rate = self.layer.rates[panel]
        done = self.engine.retire.take(begun, pairs, rate)
        self.retired[number, panel] = done + self.engine.assumptions.retire_latency

    def _waits(self, number: int) -> bool:
        before = self.layer.follows
        if before is None:
            return False
        return before.made(number, self._source(before, -1)) > self.engine.array.time

    def _source(self, before: LinearTimes, tile: int) -> int:
        return min(int(self.sources[tile]), before.retired.shape[1] - 1)

    def _from_ring(self, pairs: int, ready: float) -> float:
        """The tiles are on chip; only the first and last pass may have to wait."""
        array, cause = self.engine.array, self.layer.cause
        room = self.engine.retire.room(pairs)
        if self.tiles == 1:
            return array.start_pass(pairs, panel=True, ready=ready, cause=cause, room=room)
        array.start_pass(pairs, panel=True, ready=ready, cause=cause)
        if room <= array.time:
            return array.repeat(self.tiles - 1, pairs)
        if self.tiles > 2:
            array.repeat(self.tiles - 2, pairs)
        return array.start_pass(pairs, room=room)

    def _tile_by_tile(
        self, number: int, pairs: int, ready: float, fresh: bool, last: bool
    ) -> float:
        """Every tile may wait for its arrival or its channels; the last block frees the ring."""
        stream, layer, begun = self.engine.stream, self.layer, 0.0
        before, freed = layer.follows, self.engine.assumptions.release_latency
        for tile, size in enumerate(self.sizes):
            made = 0.0 if before is None else before.made(number, self._source(before, tile))
            begun = self.engine.array.start_pass(
                pairs,
                panel=tile == 0,
                arrival=stream.fetch(size, layer.kind, layer.not_before) if fresh else 0.0,
                ready=max(ready, made) if tile == 0 else made,
                cause=layer.cause if tile == 0 and ready > made else "operand",
                room=self.engine.retire.room(pairs) if tile == self.tiles - 1 else 0.0,
            )
            if last:
                stream.release(size, begun + freed)
        return begun


def run_linear(engine: Engine, layer: LinearLayer) -> LinearTimes:
    """Run ``layer`` on the array and return when its results can be read."""
    run, panels = _Run(engine, layer), len(layer.rates)
    for first in range(0, panels, layer.group):
        for number in range(len(layer.blocks)):
            for panel in range(first, min(panels, first + layer.group)):
                run.panel(number, panel, fresh=number == 0)
    return LinearTimes(blocks=layer.blocks, retired=run.retired, ordered=layer.group > 1)
