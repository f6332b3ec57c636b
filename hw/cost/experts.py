"""Cycles of feed-forward layers: the dense MLP in chunks, or the live experts one by one."""

from collections.abc import Sequence

import numpy as np

from m3vit.hw.cost.engine import Engine, split
from m3vit.hw.cost.linear import (
    LinearLayer,
    panel_stream_bytes,
    run_linear,
    tiles_ready,
    to_buffer,
    to_store,
)
from m3vit.hw.formats import Float64
from m3vit.hw.layout.sizes import aligned


def _gelu_table(engine: Engine) -> None:
    size = aligned(engine.assumptions.gelu_bytes, engine.machine.stream_unit)
    engine.stream.release(size, engine.stream.fetch(size, "tables"))


def _panels(engine: Engine, outputs: int) -> int:
    return -(-outputs // engine.machine.panel)


def run_dense_mlp(engine: Engine, ready: Float64, tokens: int, width: int, chunks: int) -> Float64:
    """``chunks`` x ``width`` hidden units for every token; returns when the residual is written.

    The first layer of the first chunk and the second of the last run token block outside, because
    LayerNorm feeds the one and follows the other.
    """
    _gelu_table(engine)
    pairs, panels = -(-tokens // 2), _panels(engine, width)
    narrow, wide = split(pairs, engine.narrow), split(pairs, engine.wide)
    done = ready
    for chunk in range(chunks):
        opens, closes = chunk == 0, chunk == chunks - 1
        hidden = run_linear(
            engine,
            LinearLayer(
                blocks=narrow if opens else wide,
                inner=width,
                posts=(to_buffer(engine),) * panels,
                kind="weights",
                block_outer=opens,
                ready=ready if opens else None,
                cause="ln",
            ),
        )
        times = run_linear(
            engine,
            LinearLayer(
                blocks=narrow if closes else wide,
                inner=width,
                posts=(to_store(engine, "residual"),) * panels,
                kind="weights",
                block_outer=closes,
                tile_ready=tiles_ready(engine, hidden, width),
                watched=(panels - 1,),
            ),
        )
        done = times.done[panels - 1]
    return done


def scatter_rate(engine: Engine) -> int:
    """Cycles in which the combination lanes take the results of one pair."""
    return -(-2 * engine.machine.panel // engine.machine.combine_lanes)


def run_gate(engine: Engine, ready: Float64, width: int, experts: int) -> float:
    """Logits of every token; returns the cycle at which the plan is known."""
    panels = _panels(engine, experts * engine.assumptions.gate_columns)
    times = run_linear(
        engine,
        LinearLayer(
            blocks=split(len(ready), engine.narrow),
            inner=width,
            posts=(to_buffer(engine),) * panels,
            kind="gates",
            ready=ready,
            cause="ln",
            watched=(panels - 1,),
        ),
    )
    return float(times.done[panels - 1].max()) + engine.assumptions.gate_latency


def run_experts(
    engine: Engine, queues: Sequence[int], plan_known: float, tokens: int, width: int, hidden: int
) -> Float64:
    """Every expert with a token, ``queues[e]`` tokens each; returns when the residual is written.

    Experts are fetched in index order before the plan is known; what turns out to be wanted by
    nobody is dropped.  LayerNorm follows only when the last expert has been added.
    """
    _gelu_table(engine)
    not_before = 0.0 if engine.assumptions.speculate else plan_known
    first, finished = True, plan_known
    ahead = 0
    for queue in queues:
        if queue:
            finished = _one_expert(
                engine, queue, plan_known if first else None, not_before, width, hidden
            )
            first = False
        else:
            ahead += _speculate_in_vain(engine, plan_known, width, hidden, ahead)
    return np.full(-(-tokens // 2), finished)


def _one_expert(
    engine: Engine,
    queue: int,
    plan_known: float | None,
    not_before: float,
    width: int,
    hidden: int,
) -> float:
    blocks = split(-(-queue // 2), engine.wide)
    pairs = blocks[-1][1]
    inner = run_linear(
        engine,
        LinearLayer(
            blocks=blocks,
            inner=width,
            posts=(to_buffer(engine),) * _panels(engine, hidden),
            kind="experts",
            ready=None if plan_known is None else np.full(pairs, plan_known),
            cause="gate",
            not_before=not_before,
        ),
    )
    outer = LinearLayer(
        blocks=blocks,
        inner=hidden,
        posts=(to_store(engine, "residual", scatter_rate(engine)),) * _panels(engine, width),
        kind="experts",
        tile_ready=tiles_ready(engine, inner, hidden),
        not_before=not_before,
    )
    run_linear(engine, outer)
    return engine.stores_free["residual"]


def _speculate_in_vain(
    engine: Engine, plan_known: float, width: int, hidden: int, ahead: int
) -> int:
    """Fetch an expert that nobody wants, as far as it gets; returns the ring bytes it took."""
    stream = engine.stream
    size = _panels(engine, hidden) * panel_stream_bytes(engine, width)
    size += _panels(engine, width) * panel_stream_bytes(engine, hidden)
    idle = stream.channel < plan_known and stream.has_room(ahead + size)
    if not engine.assumptions.speculate or not idle:
        return 0
    fetched = min(size, (plan_known - stream.channel) * stream.rate)
    stream.drop(fetched)
    engine.wasted_bytes += fetched
    return size
