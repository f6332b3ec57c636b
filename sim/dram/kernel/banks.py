"""Requests by bank: who hits the open row, who waits for another, and the next time for each."""

from m3vit.sim.dram.commands import ACT, PREPB, RD, WR
from m3vit.sim.dram.kernel.jit import inlined
from m3vit.sim.dram.kernel.layout import (
    ACTIVATING,
    B_ACTIVE,
    B_AT_ACTIVE,
    B_AT_HIT,
    B_AT_MISS,
    B_COMMAND,
    B_HEAD,
    B_HIT,
    B_MISS,
    B_OPEN,
    B_RANK,
    B_TAIL,
    CLOSED,
    K_ACTIVE,
    L_ACTIVE,
    L_HIT,
    L_MISS,
    P_ROW_HIT,
    Q_ARRIVE,
    Q_BANK,
    Q_BEFORE,
    Q_NEXT,
    Q_OPENED,
    Q_ROW,
    Q_WRITE,
    S_FREE,
    S_MODE,
    S_N_ACTIVE,
    S_N_HIT,
    S_N_MISS,
    S_NEXT_ACTIVE,
    S_NEXT_HIT,
    S_NEXT_ROW,
    S_QUEUED,
    S_SEQ,
    Channel,
)
from m3vit.sim.dram.kernel.timing import ready_at


@inlined
def _list(ch: Channel, bank: int, row: int, place: int, count: int, present: bool) -> None:
    """Put ``bank`` into, or take it out of, the list in ``row``; the order does not matter."""
    position = ch.bank[bank, place]
    if present == (position >= 0):
        return
    if present:
        ch.lists[row, ch.st[count]] = bank
        ch.bank[bank, place] = ch.st[count]
        ch.st[count] += 1
        return
    ch.st[count] -= 1
    last = ch.lists[row, ch.st[count]]
    ch.lists[row, position] = last
    ch.bank[last, place] = position
    ch.bank[bank, place] = -1


@inlined
def _relist(ch: Channel, bank: int, write: int) -> None:
    hit = ch.bank[bank, B_HIT + write] >= 0
    miss = ch.bank[bank, B_MISS + write] >= 0
    _list(ch, bank, L_HIT + write, B_AT_HIT + write, S_N_HIT + write, hit)
    _list(ch, bank, L_MISS + write, B_AT_MISS + write, S_N_MISS + write, miss)


@inlined
def find_heads(ch: Channel, bank: int, write: int) -> None:
    """Find the oldest request for the open row and the oldest for any other row."""
    row = ch.bank[bank, B_OPEN]
    hit, miss = -1, -1
    entry: int = ch.bank[bank, B_HEAD + write]
    while entry >= 0 and (hit < 0 or miss < 0):
        if ch.queue[entry, Q_ROW] == row:
            if hit < 0:
                hit = entry
        elif miss < 0:
            miss = entry
        entry = ch.queue[entry, Q_NEXT]
    ch.bank[bank, B_HIT + write] = hit
    ch.bank[bank, B_MISS + write] = miss
    _relist(ch, bank, write)


@inlined
def row_command(ch: Channel, bank: int, write: int) -> int:
    """The row command that the bank's oldest row miss waits for, or -1 when it must not go."""
    miss = ch.bank[bank, B_MISS + write]
    opened = ch.bank[bank, B_OPEN]
    if miss < 0 or opened == ACTIVATING:
        return -1
    if opened == CLOSED:
        return ACT
    if ch.bank[bank, B_ACTIVE] >= 0:
        return -1
    hit = ch.bank[bank, B_HIT + write]
    if ch.par[P_ROW_HIT] and hit >= 0 and ch.queue[hit, Q_ARRIVE] <= ch.queue[miss, Q_ARRIVE]:
        return -1
    return PREPB


@inlined
def touch(ch: Channel, bank: int) -> None:
    """Note what this bank's misses wait for, and lower the bounds on the next useful tick."""
    mode: int = ch.st[S_MODE]
    if ch.bank[bank, B_HIT + mode] >= 0:
        ch.st[S_NEXT_HIT] = min(ch.st[S_NEXT_HIT], ready_at(ch, RD + mode, bank))
    command = row_command(ch, bank, mode)
    ch.bank[bank, B_COMMAND] = command
    if command >= 0:
        ch.st[S_NEXT_ROW] = min(ch.st[S_NEXT_ROW], ready_at(ch, command, bank))
    active = ch.bank[bank, B_ACTIVE]
    if active >= 0 and ch.bank[bank, B_OPEN] >= 0:
        column = WR if ch.queue[active, Q_WRITE] else RD
        ch.st[S_NEXT_ACTIVE] = min(ch.st[S_NEXT_ACTIVE], ready_at(ch, column, bank))


@inlined
def refresh_view(ch: Channel, bank: int) -> None:
    """Bring a bank's heads and bounds up to date after its open row changed."""
    directions = 2 if ch.st[S_QUEUED + 1] > 0 else 1
    for write in range(directions):
        find_heads(ch, bank, write)
    touch(ch, bank)


@inlined
def enqueue(ch: Channel, entry: int) -> None:
    """Append a filled-in entry to its bank's list."""
    bank, write = ch.queue[entry, Q_BANK], ch.queue[entry, Q_WRITE]
    tail = ch.bank[bank, B_TAIL + write]
    ch.queue[entry, Q_NEXT] = -1
    ch.queue[entry, Q_BEFORE] = tail
    if tail >= 0:
        ch.queue[tail, Q_NEXT] = entry
    else:
        ch.bank[bank, B_HEAD + write] = entry
    ch.bank[bank, B_TAIL + write] = entry
    ch.st[S_QUEUED + write] += 1
    kind = B_HIT if ch.queue[entry, Q_ROW] == ch.bank[bank, B_OPEN] else B_MISS
    if ch.bank[bank, kind + write] < 0:
        ch.bank[bank, kind + write] = entry
        _relist(ch, bank, write)
        if ch.st[S_MODE] == write:
            touch(ch, bank)


@inlined
def _next_like(ch: Channel, entry: int, hit: bool) -> int:
    """The next entry of the same bank that hits (or misses) the open row, or -1."""
    row = ch.bank[ch.queue[entry, Q_BANK], B_OPEN]
    found: int = ch.queue[entry, Q_NEXT]
    while found >= 0 and (ch.queue[found, Q_ROW] == row) != hit:
        found = ch.queue[found, Q_NEXT]
    return found


@inlined
def dequeue(ch: Channel, entry: int) -> None:
    """Take an entry out of its bank's list (it stays allocated)."""
    bank, write = ch.queue[entry, Q_BANK], ch.queue[entry, Q_WRITE]
    after, before = ch.queue[entry, Q_NEXT], ch.queue[entry, Q_BEFORE]
    if ch.bank[bank, B_HIT + write] == entry:
        ch.bank[bank, B_HIT + write] = _next_like(ch, entry, True)
    elif ch.bank[bank, B_MISS + write] == entry:
        ch.bank[bank, B_MISS + write] = _next_like(ch, entry, False)
    if before >= 0:
        ch.queue[before, Q_NEXT] = after
    else:
        ch.bank[bank, B_HEAD + write] = after
    if after >= 0:
        ch.queue[after, Q_BEFORE] = before
    else:
        ch.bank[bank, B_TAIL + write] = before
    ch.st[S_QUEUED + write] -= 1
    _relist(ch, bank, write)


@inlined
def set_active(ch: Channel, bank: int, entry: int) -> None:
    """Give the bank the request that its row was opened for, or none (-1)."""
    ch.rank[ch.bank[bank, B_RANK], K_ACTIVE] += 1 if entry >= 0 else -1
    ch.bank[bank, B_ACTIVE] = entry
    _list(ch, bank, L_ACTIVE, B_AT_ACTIVE, S_N_ACTIVE, entry >= 0)
    if entry >= 0:
        ch.queue[entry, Q_OPENED] = ch.st[S_SEQ]
        ch.st[S_SEQ] += 1


@inlined
def release(ch: Channel, entry: int) -> None:
    """Return an entry to the free list."""
    ch.free[ch.st[S_FREE]] = entry
    ch.st[S_FREE] += 1
