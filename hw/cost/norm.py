"""Cycles of LayerNorm: a server beside the array, in the order of the tokens."""

import numpy as np

from m3vit.hw.cost.engine import Engine
from m3vit.hw.formats import Float64
from m3vit.hw.layout.sizes import aligned


def run_layernorm(engine: Engine, done: Float64, width: int) -> Float64:
    """Cycle at which each pair of XN can be read, given when the residual's pairs are ``done``.

    A token takes width / lanes cycles; its statistics are taken on the way into a token buffer,
    so the first output follows one token later.  The table comes through the ring.
    """
    assumptions, machine = engine.assumptions, engine.machine
    size = aligned(width * assumptions.layernorm_channel_bytes, machine.stream_unit)
    table = engine.stream.fetch(size, "tables")
    token = -(-width // machine.layernorm_lanes)
    start = max(engine.norm_free, table)
    engine.stream.release(size, max(start, float(done[0])))
    # finish[p] = max(finish[p-1], done[p]) + 2 token: a running maximum once the slope is removed
    slope = 2 * token * np.arange(len(done))
    finish: Float64 = np.maximum.accumulate(np.maximum(done, start) - slope) + slope + 2 * token
    engine.norm_free = float(finish[-1])
    return finish + token + assumptions.layernorm_latency
