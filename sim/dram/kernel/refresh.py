"""Refresh: when it is due, and the commands that bring it about."""

from m3vit.sim.dram.commands import PREAB, PREPB, REFAB, REFPB
from m3vit.sim.dram.kernel.banks import refresh_view
from m3vit.sim.dram.kernel.jit import inlined, jit
from m3vit.sim.dram.kernel.layout import (
    B_ACTIVE,
    B_OPEN,
    CLOSED,
    K_ACTIVE,
    K_OPEN,
    NEVER,
    P_BANKS,
    P_GROUPS,
    P_RANKS,
    P_REFI,
    P_REFRESH,
    P_RFC_BANK,
    P_STACKS,
    Q_BANK,
    REFRESH_ALL,
    REFRESH_BANK,
    REFRESH_PAIRED,
    S_CLOCK,
    S_DUE_BANK,
    S_DUE_STACK,
    S_NEXT_REFRESH,
    S_OPENING,
    S_PRIORITY_COUNT,
    S_PRIORITY_HEAD,
    S_REF_BANK,
    S_REF_LEFT,
    S_REF_STACK,
    Channel,
)
from m3vit.sim.dram.kernel.timing import (
    is_all_bank,
    issue,
    issue_all,
    note_row,
    ready_all_at,
    ready_at,
)


@jit
def _push(ch: Channel, command: int, rank: int, bank: int) -> None:
    size = ch.priority.shape[0]
    place = (ch.st[S_PRIORITY_HEAD] + ch.st[S_PRIORITY_COUNT]) % size
    if ch.st[S_PRIORITY_COUNT] < size:
        ch.priority[place, 0] = command
        ch.priority[place, 1] = rank
        ch.priority[place, 2] = bank
        ch.st[S_PRIORITY_COUNT] += 1


@inlined
def _banks_per_stack(ch: Channel) -> int:
    banks: int = ch.par[P_GROUPS] * ch.par[P_BANKS]
    return banks


@jit
def _push_due(ch: Channel) -> None:
    """Queue the paired refresh of the next pseudo channel; a finished set rests for tRFCpb."""
    stacks, banks = ch.par[P_STACKS], _banks_per_stack(ch)
    rank = ch.par[P_RANKS] - ch.st[S_REF_LEFT]
    node = rank * stacks + ch.st[S_DUE_STACK]
    _push(ch, REFPB, rank, node * banks + ch.st[S_DUE_BANK])
    ch.st[S_REF_LEFT] -= 1
    ch.stacks[node, 1] += 1
    if ch.stacks[node, 1] == banks:
        ch.stacks[node, 1] = 0
        ch.stacks[node, 0] = ch.st[S_CLOCK] + ch.par[P_RFC_BANK]


@jit
def _paired(ch: Channel) -> None:
    """HBM3 per-bank refresh: the same bank of every pseudo channel, one after the other."""
    clock = ch.st[S_CLOCK]
    if ch.st[S_REF_LEFT] > 0:
        _push_due(ch)
        return
    if clock < ch.st[S_NEXT_REFRESH]:
        return
    for rank in range(ch.par[P_RANKS]):
        if clock < ch.stacks[rank * ch.par[P_STACKS] + ch.st[S_REF_STACK], 0]:
            ch.st[S_NEXT_REFRESH] = clock + 1
            return
    ch.st[S_DUE_STACK], ch.st[S_DUE_BANK] = ch.st[S_REF_STACK], ch.st[S_REF_BANK]
    ch.st[S_REF_LEFT] = ch.par[P_RANKS]
    ch.st[S_REF_BANK] += 1
    if ch.st[S_REF_BANK] == _banks_per_stack(ch):
        ch.st[S_REF_BANK] = 0
        ch.st[S_REF_STACK] = (ch.st[S_REF_STACK] + 1) % ch.par[P_STACKS]
    _push_due(ch)
    ch.st[S_NEXT_REFRESH] += ch.par[P_REFI]


@inlined
def refresh_due(ch: Channel) -> None:
    """Queue the refreshes that fall due at this tick."""
    mode = ch.par[P_REFRESH]
    if mode == REFRESH_PAIRED:
        _paired(ch)
    elif ch.st[S_CLOCK] == ch.st[S_NEXT_REFRESH]:
        ch.st[S_NEXT_REFRESH] += ch.par[P_REFI]
        if mode == REFRESH_ALL:
            for rank in range(ch.par[P_RANKS]):
                _push(ch, REFAB, rank, -1)
        elif mode == REFRESH_BANK:
            bank = ch.st[S_REF_BANK]
            per_rank = ch.par[P_STACKS] * _banks_per_stack(ch)
            _push(ch, REFPB, bank // per_rank, bank)
            ch.st[S_REF_BANK] = (bank + 1) % ch.bank.shape[0]


@jit
def priority_command(ch: Channel) -> int:
    """What the oldest due refresh needs next: a precharge while a row is open, else itself."""
    place = ch.st[S_PRIORITY_HEAD]
    rank, bank = ch.priority[place, 1], ch.priority[place, 2]
    if ch.priority[place, 0] == REFAB:
        return PREAB if ch.rank[rank, K_OPEN] > 0 else REFAB
    return PREPB if ch.bank[bank, B_OPEN] != CLOSED else REFPB


@jit
def priority_time(ch: Channel, command: int) -> int:
    """First tick for that command; never while it would close a row opened for a request."""
    place = ch.st[S_PRIORITY_HEAD]
    rank, bank = ch.priority[place, 1], ch.priority[place, 2]
    opening = ch.st[S_OPENING]
    if is_all_bank(command):
        per_rank = ch.par[P_STACKS] * _banks_per_stack(ch)
        if opening >= 0 and ch.queue[opening, Q_BANK] // per_rank == rank:
            return NEVER
        if command == PREAB and ch.rank[rank, K_ACTIVE] > 0:
            return NEVER
        return ready_all_at(ch, command, rank)
    if opening >= 0 and ch.queue[opening, Q_BANK] == bank:
        return NEVER
    if command == PREPB and ch.bank[bank, B_ACTIVE] >= 0:
        return NEVER
    return ready_at(ch, command, bank)


@jit
def send_priority(ch: Channel, command: int) -> None:
    """Send it; the refresh itself leaves the queue."""
    place = ch.st[S_PRIORITY_HEAD]
    rank, bank = ch.priority[place, 1], ch.priority[place, 2]
    note_row(ch, command, rank, bank)
    if is_all_bank(command):
        issue_all(ch, command, rank)
    else:
        issue(ch, command, bank, -1, -1)
    if command == REFAB or command == REFPB:
        ch.st[S_PRIORITY_HEAD] = (place + 1) % ch.priority.shape[0]
        ch.st[S_PRIORITY_COUNT] -= 1
    first, last = bank, bank + 1
    if command == PREAB:
        per_rank = ch.par[P_STACKS] * _banks_per_stack(ch)
        first, last = rank * per_rank, (rank + 1) * per_rank
    if command == PREAB or command == PREPB:
        for closed in range(first, last):
            refresh_view(ch, closed)
