"""Passes: what the sequencer asks of the matrix engine, and the jobs it makes them from.

A pass streams up to ``accumulator_pairs`` token pairs over one weight tile (rtl/DESIGN.md 2).
"""

from amaranth.lib import data, enum

TOKEN_BITS = 12
PAIR_BITS = 11
BLOCK_BITS = 10
RING_BITS = 16
NUMBER_BITS = 16
"""Running numbers of passes; compared modulo 2^16, far more than can be in flight."""


class Source(enum.Enum, shape=2):
    """Where the operands of a pass come from."""

    XN = 0
    QOH = 1
    QUERY = 2
    PROBABILITY = 3


class Tile(enum.Enum, shape=2):
    """Where its weights come from."""

    RING = 0
    KEY = 1
    VALUE = 2


class Post(enum.Enum, shape=4):
    """What becomes of its sums."""

    HIDDEN = 0
    """int8 into QOH: Q."""
    GELU = 1
    """int8 through the tables into QOH."""
    RESIDUAL = 2
    VALUE = 3
    KEY = 4
    SCORE = 5
    OUTPUT = 6
    """A row factor instead of a column factor, int8 into QOH."""
    GATE = 7


class Wait(enum.Enum, shape=2):
    """What a pass waits for."""

    NOTHING = 0
    RETIRED = 1
    """Results of pass ``wait_for`` are visible."""
    SCORED = 2
    TOKENS = 3
    """The producer of XN has finished ``wait_for`` tokens."""


Pass = data.StructLayout(
    {
        "pairs": BLOCK_BITS,
        "first_pair": PAIR_BITS,
        "tokens": TOKEN_BITS,
        "first_token": TOKEN_BITS,
        "source": Source,
        "gather": 1,
        "buffer": 1,
        "channel": 7,
        "row": 13,
        "tile": Tile,
        "address": RING_BITS,
        "parameters": 1,
        "release": 1,
        "skip": 1,
        "first": 1,
        "last": 1,
        "post": Post,
        "column": 7,
        "group_step": 4,
        "limit": 7,
        "shift": 6,
        "key": 8,
        "half": 1,
        "weighted": 1,
        "guard": 3,
        "wait": Wait,
        "wait_for": NUMBER_BITS,
        "wait_query": 1,
        "number": NUMBER_BITS,
        "publish": 1,
        "end": 1,
    }
)
"""One pass.

pairs, first_pair: pairs streamed, number of the first; tokens: tokens of the operation (an odd tail
has no member 1); first_token: added to token numbers on the way to RES. gather: token numbers come
from the list in ``buffer``. channel: operand channel / 8 (query block: step; probabilities: column
tile); row: (channel / 128) * T, of SCORE its first row. address: ring word or K/V tile number;
parameters: the panel's records lie in front of the tile, at ``address``; release: the ring may be
reused up to the end of this tile once the pass is issued; skip: it may be reused up to ``address``
when the pass is at hand. first, last: of an accumulation. column:
destination channel / 16 of group 0 (V and K: inside the head), group_step the same from group to
group; units from ``limit`` on do not exist. key: key or value tile; half: of SCORE and the query
block. wait_query: the query block must be loaded. number: of its results, if ``last``; score passes
have their own numbers. publish: its last pair completes the residual up to there. end: the last
pass of a block of scores.
"""

GemmJob = data.StructLayout(
    {
        "tokens": TOKEN_BITS,
        "block_pairs": BLOCK_BITS,
        "ramp": 1,
        "first_token": TOKEN_BITS,
        "steps": 7,
        "panels": 8,
        "panels_group": 8,
        "source": Source,
        "gather": 1,
        "buffer": 1,
        "row_step": TOKEN_BITS,
        "address": RING_BITS,
        "skip": 1,
        "post": Post,
        "column": 7,
        "column_step": 4,
        "group_step": 4,
        "limit": 7,
        "thirds": 8,
        "shift": 6,
        "shift_key": 6,
        "shift_query": 6,
        "weighted": 1,
        "guard": 3,
        "wait": Wait,
        "follow": 1,
        "publish": 1,
        "publish_all": 1,
    }
)
"""One linear layer.

block_pairs: of the largest block; ramp: the first ones are smaller.
steps: contraction tiles; address: first ring word; skip: what lies in front of it is not used;
thirds: panels of each of V, K, Q (0: not QKV).
column_step: destination advance a panel.  wait: TOKENS up to the end of each block, or RETIRED for
everything before this layer.  follow: the layer reads what the layer before it wrote (token block
inside), panel by panel.  publish: the last panel of every block; publish_all: only the very last.
"""

AttentionJob = data.StructLayout(
    {
        "tokens": TOKEN_BITS,
        "block_pairs": BLOCK_BITS,
        "key_tiles": 8,
        "query_steps": 4,
        "value_tiles": 8,
        "value_columns": 4,
        "column": 7,
        "group_step": 4,
        "limit": 7,
        "units": 3,
    }
)
"""Scores, softmax and A.V of the heads in flight.

key_tiles = ceil(T / C), query_steps = ceil(dh / R), value_tiles = ceil(T / R), value_columns =
ceil(dh / C), units = dh / 16.  Waits for everything before it.
"""

QueryLoad = data.StructLayout(
    {
        "pairs": BLOCK_BITS,
        "first_pair": PAIR_BITS,
        "half": 1,
        "column": 7,
        "group_step": 4,
        "steps": 4,
        "units": 3,
        "wait_for": NUMBER_BITS,
    }
)
"""Copy the queries of one block from QOH into the query block; ``units`` of 16 channels exist."""
