"""Cycles of LayerNorm: a server beside the array, in the order of the tokens."""

import numpy as np

from m3vit.hw.cost.engine import UNIT, Engine
from m3vit.hw.formats import Float64
from m3vit.hw.layout.sizes import LAYERNORM_ENTRY_BYTES, layernorm_bytes


def _token(engine: Engine, width: int) -> tuple[float, float]:
    """Cycles from token to token, and from the first word of one to its last in XN.

    A token is read into one of four buffers while another one plays; its statistics are taken
    while it plays and its words follow them (rtl/norm_server.py, rtl/layernorm.py).
    """
    assumptions = engine.assumptions
    play, read = -(-width // engine.machine.layernorm_lanes), -(-width // UNIT)
    return max(play, read), 2 * play + read + assumptions.layernorm_latency


def _table(engine: Engine, width: int) -> float:
    """Cycles in which a table is taken from the ring: word by word, two channels a cycle."""
    assumptions = engine.assumptions
    words = -(-width * LAYERNORM_ENTRY_BYTES // engine.machine.word_bytes)
    return words * assumptions.table_word_latency + width / 2 + assumptions.table_latency


def run_layernorm(engine: Engine, published: Float64, width: int, begins: float = 0.0) -> Float64:
    """Cycle at which each pair of XN can be read, given when the residual's pairs are there.

    ``begins``: when the command is reached, if that is later than its table; the table is taken
    then.
    """
    size = layernorm_bytes(engine.machine, width)
    table = engine.stream.fetch(size, "tables")
    engine.stream.hold(size)
    loaded = max(table, begins) + _table(engine, width)
    start = max(engine.norm_free, loaded, float(published[0]))
    period, latency = _token(engine, width)
    # finish[p] = max(finish[p-1], done[p]) + 2 period: a running maximum once the slope is removed
    slope = 2 * period * np.arange(len(published))
    ready = np.maximum(published, start) - slope
    finish: Float64 = np.maximum.accumulate(ready) + slope + 2 * period
    engine.norm_free = float(finish[-1])
    return finish + latency - period
