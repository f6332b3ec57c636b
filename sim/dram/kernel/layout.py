"""Where the compiled loop keeps what: names of the columns of its integer arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NEVER = 1 << 60
"""A time that is never reached; also the mark of an empty time slot when negated."""

CLOSED, ACTIVATING = -1, -2
"""States of a bank that stand in for its open row."""

# Relations: which nodes a timing rule reaches, seen from the bank that a command addresses.
ALL_RANKS, OWN_RANK, OTHER_RANKS, OWN_STACK, OTHER_STACKS, OWN_GROUP, OWN_BANK = range(7)
RELATIONS = 7

# Controllers.
SINGLE_BUS, DUAL_BUS, DUAL_EDGE, SPLIT_ACTIVATE = range(4)

# Refresh modes.
REFRESH_NONE, REFRESH_ALL, REFRESH_BANK, REFRESH_PAIRED = range(4)

# Actions of a slot.
(
    NOTHING,
    REFRESHED,
    SERVE_OPENED,
    SERVE_HIT,
    ROW,
    SECOND,
    CONTINUE,
    WAKE_OPENED,
    WAKE_HIT,
) = range(9)

# Columns of `par`, constant during a run.
(
    P_KIND,
    P_RANKS,
    P_STACKS,
    P_GROUPS,
    P_BANKS,
    P_READ_SLOTS,
    P_WRITE_SLOTS,
    P_ROW_HIT,
    P_CLOSED,
    P_REFRESH,
    P_REFI,
    P_RFC_BANK,
    P_LATENCY,
    P_FRONT,
    P_DRAIN,
    P_WRITE_HIGH,
    P_WRITE_LOW,
    P_ACT2_LIMIT,
    P_STROBE_READ,
    P_STROBE_WRITE,
    PARAMETERS,
) = range(21)

# Columns of `st`, the scalars that change.
(
    S_CLOCK,
    S_SENT,
    S_FREE,
    S_SEQ,
    S_MODE,
    S_NEXT_ACTIVE,
    S_NEXT_HIT,
    S_NEXT_ROW,
    S_NEXT_PRECHARGE,
    S_NEXT_PRIORITY,
    S_NEXT_REFRESH,
    S_BLOCKED,
    S_PRIORITY_HEAD,
    S_PRIORITY_COUNT,
    S_REF_STACK,
    S_REF_BANK,
    S_REF_LEFT,
    S_DUE_STACK,
    S_DUE_BANK,
    S_OPENING,
    S_DEADLINE,
    S_CAS_ENTRY,
    S_CAS_SOURCE,
    S_STROBE,
    S_PAIR_EDGE,
    S_PAIR_COMMAND,
    S_PAIR_RANK,
    S_PAIR_BANK,
    S_LOGGED,
    S_HITS,
    S_MISSES,
    S_CONFLICTS,
    S_SERVED,
    S_FORWARDED,
    S_COALESCED,
    S_WAITING,
    S_N_ACTIVE,
    S_N_HIT,  # two: reads, writes
    _S_N_HIT_WRITES,
    S_N_MISS,  # two
    _S_N_MISS_WRITES,
    S_QUEUED,  # two
    _S_QUEUED_WRITES,
    SCALARS,
) = range(44)

# Columns of `bank`.
(
    B_OPEN,
    B_ACTIVE,
    B_RANK,
    B_STACK,
    B_GROUP,
    B_HIT,  # two: reads, writes
    _B_HIT_W,
    B_MISS,  # two
    _B_MISS_W,
    B_HEAD,  # two
    _B_HEAD_W,
    B_TAIL,  # two
    _B_TAIL_W,
    B_COMMAND,
    B_AT_ACTIVE,
    B_AT_HIT,  # two
    _B_AT_HIT_W,
    B_AT_MISS,  # two
    _B_AT_MISS_W,
    BANK_FIELDS,
) = range(20)

# Rows of `lists`: the banks that have an opened request, a row hit, a row miss.
L_ACTIVE, L_HIT, _L_HIT_W, L_MISS, _L_MISS_W, LISTS = range(6)

# Columns of `queue`, one row per buffered request.
(
    Q_BANK,
    Q_ROW,
    Q_ARRIVE,
    Q_SEQ,
    Q_NEXT,
    Q_BEFORE,
    Q_COUNTED,
    Q_WRITE,
    Q_INDEX,
    Q_OPENED,
    QUEUE_FIELDS,
) = range(11)

# Columns of `rank`.
K_OPEN, K_ACTIVE, RANK_FIELDS = range(3)

# Columns of `log`.
G_CLOCK, G_COMMAND, G_BANK, G_INDEX, LOG_FIELDS = range(5)


class Channel(NamedTuple):
    """All arrays of one channel; times in ticks, one row per node, one column per command."""

    par: Ints
    st: Ints
    rank_ready: Ints
    group_ready: Ints
    bank_ready: Ints
    history: Ints
    rules: Ints
    spans: Ints
    bank: Ints
    rank: Ints
    queue: Ints
    free: Ints
    lists: Ints
    priority: Ints
    stacks: Ints
    counts: Ints
    log: Ints


class Requests(NamedTuple):
    """A trace as arrays, one element per request; ``depart`` is filled in by the run (ticks)."""

    bank: Ints
    row: Ints
    write: Ints
    line: Ints
    not_before: Ints
    arrive: Ints
    depart: Ints
