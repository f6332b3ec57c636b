"""Cycles of a linear layer: panels of weights from the ring over blocks of token pairs."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from m3vit.hw.cost.engine import Block, Engine
from m3vit.hw.formats import Float64


class Post(NamedTuple):
    """Where the results of a panel go: a store, and the cycles it needs for one pair."""

    store: str | None
    """Key of ``Engine.stores_free``; None for a store that keeps up with the array."""
    rate: int = 1


def to_buffer(engine: Engine) -> Post:
    """Results that pass the requantiser into a store as wide as the array."""
    rate = engine.requantise_rate
    return Post(None) if rate == 1 else Post("requantise", rate)


def to_store(engine: Engine, store: str, rate: int = 1) -> Post:
    """Results that a store takes at one pair every ``rate`` cycles."""
    return Post(store, max(rate, engine.requantise_rate))


@dataclass(frozen=True, kw_only=True)
class LinearLayer:
    """One linear layer on the array.

    ``posts`` has one entry a panel.  ``block_outer``: token block outside, panels inside, so that
    tokens finish early; else panel outside, so that weights are read once.  ``ready`` [pairs] is
    the cycle at which each pair can be read, ``tile_ready`` [contraction tiles] that at which the
    first block's channels can.  ``watched`` names the panels whose completion is wanted.
    """

    blocks: list[Block]
    inner: int
    posts: tuple[Post, ...]
    kind: str
    block_outer: bool = False
    ready: Float64 | None = None
    cause: str = "operand"
    tile_ready: Float64 | None = None
    not_before: float = 0.0
    watched: tuple[int, ...] = ()


class LinearTimes(NamedTuple):
    """``done[panel]`` [pairs]: cycle at which each pair's results can be read, watched panels
    only; ``first[panel]``: the same for the first pair of the first block, every panel."""

    done: dict[int, Float64]
    first: list[float]


def contraction_tiles(engine: Engine, inner: int) -> int:
    """Weight tiles along the contraction."""
    return -(-inner // engine.machine.rows)


def panel_stream_bytes(engine: Engine, inner: int) -> int:
    """Bytes of one panel: a record a column, then its tiles."""
    machine = engine.machine
    head = machine.panel * engine.assumptions.panel_column_bytes
    return head + contraction_tiles(engine, inner) * machine.tile_bytes


def group_size(engine: Engine, inner: int, panels: int, block_outer: bool) -> int:
    """Panels that stay in the ring while a token block passes over them."""
    room = int(engine.assumptions.ring_share * engine.machine.ring_bytes)
    return max(1, min(panels if block_outer else 1, room // panel_stream_bytes(engine, inner)))


class _Run:
    def __init__(self, engine: Engine, layer: LinearLayer) -> None:
        self.engine = engine
        self.layer = layer
        self.tiles = contraction_tiles(engine, layer.inner)
        self.shortest = engine.assumptions.accumulator_revisit if self.tiles > 1 else 1
        self.refill = engine.assumptions.tile_refill_cycles
        tile = engine.machine.tile_bytes
        head = panel_stream_bytes(engine, layer.inner) - self.tiles * tile
        self.sizes = [head + tile] + [tile] * (self.tiles - 1)
        pairs = layer.blocks[-1][1]
        self.times = LinearTimes({panel: np.zeros(pairs) for panel in layer.watched}, [])

    def panel(self, number: int, panel: int, opening: bool, waits: bool) -> None:
        """Block ``number`` over one panel.

        ``opening``: no panel went before; ``waits``: the block's operand may not be there yet.
        """
        start, end = self.layer.blocks[number]
        pairs = end - start
        ready = self._operand_ready(start, end) if waits else 0.0
        out = self._out(self.layer.posts[panel], pairs)
        last = number == len(self.layer.blocks) - 1
        if number == 0:
            final = self._from_dram(pairs, ready, out, opening, last)
        else:
            final = self._from_ring(pairs, ready, out, last)
        self._finish(panel, number, final)

    def _operand_ready(self, start: int, end: int) -> float:
        if self.layer.ready is None:
            return 0.0
        return float((self.layer.ready[start:end] - np.arange(end - start)).max())

    def _out(self, post: Post, pairs: int) -> float:
        """First cycle at which the last tile's pass may start without overrunning the FIFO."""
        if post.store is None:
            return 0.0
        assumptions = self.engine.assumptions
        buffered = post.rate * max(0, assumptions.residual_fifo_pairs - pairs)
        free = self.engine.stores_free[post.store]
        return free - assumptions.result_latency - buffered - pairs

    def _from_dram(self, pairs: int, ready: float, out: float, opening: bool, last: bool) -> float:
        """First block: every tile waits for its arrival; returns the last pass's first cycle."""
        stream, array, layer = self.engine.stream, self.engine.array, self.layer
        made = layer.tile_ready if opening else None
        begun = 0.0
        for tile, size in enumerate(self.sizes):
            begun = array.start_pass(
                pairs,
                self.refill,
                arrival=stream.fetch(size, layer.kind, layer.not_before),
                ready=ready if made is None else max(ready, float(made[tile])),
                cause=layer.cause,
                out=out if tile == self.tiles - 1 else 0.0,
                shortest=self.shortest,
            )
            ready = 0.0
            if last:
                stream.release(size, begun)
        return begun

    def _from_ring(self, pairs: int, ready: float, out: float, last: bool) -> float:
        """A later block: the tiles are on chip; only the first and last pass may have to wait."""
        array, refill, shortest = self.engine.array, self.refill, self.shortest
        cause, middle = self.layer.cause, self.tiles - 2
        if middle < 0:
            final = array.start_pass(
                pairs, refill, ready=ready, cause=cause, out=out, shortest=shortest
            )
            starts = [final]
        else:
            first = array.start_pass(pairs, refill, ready=ready, cause=cause, shortest=shortest)
            before = array.repeat(middle, pairs, refill, shortest) if middle else first
            final = array.start_pass(pairs, refill, out=out, shortest=shortest)
            step = (before - first) / max(1, middle)
            starts = [*(first + step * tile for tile in range(middle + 1)), final] if last else []
        if last:
            for size, begun in zip(self.sizes, starts, strict=True):
                self.engine.stream.release(size, begun)
        return final

    def _finish(self, panel: int, number: int, final: float) -> None:
        """Results of the last contraction tile go straight to their store."""
        engine, post = self.engine, self.layer.posts[panel]
        start, end = self.layer.blocks[number]
        base = final + engine.assumptions.result_latency
        if number == 0:
            self.times.first.append(base + 1)
        if post.store is not None:
            base = max(engine.stores_free[post.store], base)
            engine.stores_free[post.store] = base + post.rate * (end - start)
        if panel in self.times.done:
            steps = np.arange(1, end - start + 1)
            self.times.done[panel][start:end] = base + post.rate * steps


def run_linear(engine: Engine, layer: LinearLayer) -> LinearTimes:
    """Run ``layer`` on the array and return when its results can be read."""
    run = _Run(engine, layer)
    panels = len(layer.posts)
    group = group_size(engine, layer.inner, panels, layer.block_outer)
    for first in range(0, panels, group):
        members = range(first, min(panels, first + group))
        for number in range(len(layer.blocks)):
            for panel in members:
                opening = panel == 0 and number == 0
                run.panel(number, panel, opening, waits=panel == 0)
    engine.array.wait_until(engine.array.time + engine.assumptions.command_gap, "command")
    return run.times


def tiles_ready(engine: Engine, times: LinearTimes, inner: int) -> Float64:
    """[contraction tiles] of a second layer: when the first layer's panels made their channels."""
    machine = engine.machine
    ends = (np.arange(contraction_tiles(engine, inner)) + 1) * machine.rows - 1
    panels = np.minimum(ends // machine.panel, len(times.first) - 1)
    ready: Float64 = np.asarray(times.first)[panels]
    return ready
