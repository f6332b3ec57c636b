"""Cycles of feed-forward layers: the dense MLP in chunks, or the live experts one by one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from m3vit.hw.cost.engine import Engine
from m3vit.hw.cost.linear import LinearLayer, LinearTimes, run_linear
from m3vit.hw.formats import Float64
from m3vit.hw.layout.blocks import spans
from m3vit.hw.layout.sizes import expert_bytes, gelu_bytes

_FITS = 3 / 4
"""Share of the ring that both layers of a chunk may take to run block by block; region_size.py."""


def _gelu_table(engine: Engine) -> None:
    size = gelu_bytes(engine.machine)
    engine.stream.fetch(size, "tables")
    engine.stream.hold(size)


def _panels(engine: Engine, outputs: int) -> int:
    return -(-outputs // engine.machine.panel)


def _two_layers(engine: Engine, width: int, hidden: int, layer: LinearLayer) -> LinearTimes:
    """``layer`` up to ``hidden`` and back; returns when the second's results are there."""
    rates, panels = engine.rates, (_panels(engine, hidden), _panels(engine, width))
    ordered = layer.group > 1
    first = replace(
        layer,
        rates=(rates.hidden(),) * panels[0],
        group=panels[0] if ordered else 1,
    )
    second = replace(
        layer,
        inner=hidden,
        rates=(rates.residual,) * panels[1],
        group=panels[1] if ordered else 1,
        ready=None,
        cause="operand",
        follows=run_linear(engine, first),
    )
    return run_linear(engine, second)


def run_dense_mlp(engine: Engine, ready: Float64, tokens: int, width: int, chunks: int) -> Float64:
    """``chunks`` x ``width`` hidden units for every token; returns when the residual is published.

    Chunks that fit the ring run block by block, small blocks first.
    """
    _gelu_table(engine)
    machine = engine.machine
    ordered = expert_bytes(machine, width, width) <= _FITS * machine.ring_bytes
    layer = LinearLayer(
        blocks=spans(tokens, machine.accumulator_pairs, ordered),
        inner=width,
        rates=(),
        kind="weights",
        group=2 if ordered else 1,
        ready=ready,
        cause="norm",
    )
    for _ in range(chunks):
        times = _two_layers(engine, width, width, layer)
    published = times.published(engine.assumptions.write_latency)
    return published if ordered else np.full_like(published, published[-1])


def run_gate(engine: Engine, ready: Float64, width: int, experts: int, top_k: int) -> float:
    """Logits of every token; returns the cycle at which the plan is known."""
    assumptions, machine = engine.assumptions, engine.machine
    panels = _panels(engine, experts * assumptions.gate_columns)
    rate = engine.rates.gate(experts, top_k, assumptions.gate_slots, panels)
    alone = panels == 1  # several panels follow each other pair by pair
    run_linear(
        engine,
        LinearLayer(
            blocks=spans(2 * len(ready), machine.accumulator_pairs if alone else 1, alone),
            inner=width,
            rates=(rate,) * panels,
            kind="gates",
            group=panels,
            ready=ready,
            cause="norm",
        ),
    )
    return engine.retire.free + assumptions.gate_latency


class _Lists:
    """Token lists, one ahead of the array in two buffers (rtl/lists.py)."""

    def __init__(self, engine: Engine, begins: float, tokens: int) -> None:
        self.free, self._scan = begins, tokens + engine.assumptions.list_latency
        self._ends: list[float] = []

    def next(self, skipped: int) -> float:
        """When the next list is there, behind ``skipped`` experts that nobody wants."""
        if len(self._ends) > 1:
            self.free = max(self.free, self._ends[-2])
        self.free += self._scan + skipped
        return self.free

    def end(self, cycle: float) -> None:
        """The last list taken is not read any more."""
        self._ends.append(cycle)


def run_experts(
    engine: Engine, queues: Sequence[int], plan_known: float, tokens: int, width: int, hidden: int
) -> Float64:
    """Every expert with a token, ``queues[e]`` tokens each; returns when the residual is published.

    Experts are fetched in index order before the plan is known; what turns out to be wanted by
    nobody is dropped.  LayerNorm follows only when the last expert has been added.
    """
    _gelu_table(engine)
    assumptions = engine.assumptions
    lists = _Lists(engine, plan_known + assumptions.plan_latency, tokens)
    skipped, cause = 0, "gate"
    layer = LinearLayer(
        blocks=[],
        inner=width,
        rates=(),
        kind="experts",
        not_before=0.0 if assumptions.speculate else plan_known,
    )
    for queue in queues:
        if not queue:
            _speculate_in_vain(engine, plan_known, lists.free + tokens, width, hidden)
            skipped += 1
            continue
        blocks = spans(queue, engine.machine.accumulator_pairs)
        ready = np.full(blocks[-1][1], lists.next(skipped))
        _two_layers(engine, width, hidden, replace(layer, blocks=blocks, ready=ready, cause=cause))
        lists.end(engine.written)
        skipped, cause = 0, "command"
    engine.array.wait_until(engine.written, "command")
    return np.full(-(-tokens // 2), engine.written)


def _speculate_in_vain(
    engine: Engine, plan_known: float, listed: float, width: int, hidden: int
) -> None:
    """Fetch an expert that nobody wants, if it is asked for before the plan is known.

    It stays in the ring until the next one's list is there.
    """
    stream = engine.stream
    if engine.assumptions.speculate and stream.begins < plan_known:
        size = expert_bytes(engine.machine, width, hidden)
        stream.drop(size, "experts", max(listed, engine.array.time))
        engine.wasted_bytes += size
