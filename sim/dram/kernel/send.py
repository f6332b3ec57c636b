"""Sending what was decided: one command, its effect on the bank, and the request moved along."""

from m3vit.sim.dram.commands import ACT, ACT2, CAS, RD, RDA, WR, WRA
from m3vit.sim.dram.kernel.banks import (
    dequeue,
    refresh_view,
    release,
    set_active,
    touch,
)
from m3vit.sim.dram.kernel.jit import inlined
from m3vit.sim.dram.kernel.layout import (
    B_ACTIVE,
    B_COMMAND,
    B_HIT,
    B_MISS,
    B_OPEN,
    B_RANK,
    CLOSED,
    CONTINUE,
    P_ACT2_LIMIT,
    P_CLOSED,
    P_KIND,
    P_LATENCY,
    P_STROBE_READ,
    P_STROBE_WRITE,
    Q_BANK,
    Q_COUNTED,
    Q_INDEX,
    Q_ROW,
    Q_WRITE,
    ROW,
    S_CAS_ENTRY,
    S_CAS_SOURCE,
    S_CLOCK,
    S_CONFLICTS,
    S_DEADLINE,
    S_HITS,
    S_MISSES,
    S_MODE,
    S_NEXT_ACTIVE,
    S_NEXT_HIT,
    S_NEXT_PRECHARGE,
    S_NEXT_ROW,
    S_OPENING,
    S_SERVED,
    S_STROBE,
    S_WAITING,
    SECOND,
    SERVE_HIT,
    SERVE_OPENED,
    SPLIT_ACTIVATE,
    Channel,
    Requests,
)
from m3vit.sim.dram.kernel.timing import issue, note_row, ready_at, record


@inlined
def _count(ch: Channel, entry: int) -> None:
    """Count a request once, by the state its bank is in when its first command goes."""
    if ch.queue[entry, Q_COUNTED]:
        return
    ch.queue[entry, Q_COUNTED] = 1
    opened = ch.bank[ch.queue[entry, Q_BANK], B_OPEN]
    if opened == ch.queue[entry, Q_ROW]:
        ch.st[S_HITS] += 1
    elif opened == CLOSED:
        ch.st[S_MISSES] += 1
    else:
        ch.st[S_CONFLICTS] += 1


@inlined
def _earliest_rank(ch: Channel, command: int) -> int:
    time: int = ch.rank_ready[0, command]
    for rank in range(1, ch.rank_ready.shape[0]):
        time = min(time, ch.rank_ready[rank, command])
    return time


@inlined
def _column_command(ch: Channel, bank: int, write: int) -> int:
    """Read or write, with auto-precharge when pages close and nobody wants the row any more."""
    command = WR if write else RD
    if not ch.par[P_CLOSED] or ch.bank[bank, B_ACTIVE] >= 0:
        return command
    if ch.bank[bank, B_HIT] >= 0 or ch.bank[bank, B_HIT + 1] >= 0:
        return command
    closing = WRA if write else RDA
    return closing if ready_at(ch, closing, bank) <= ch.st[S_CLOCK] else command


@inlined
def _entry_of(ch: Channel, action: int, bank: int) -> int:
    """The request that an action on a bank concerns."""
    entry: int = ch.bank[bank, B_MISS + ch.st[S_MODE]]
    if action == SERVE_OPENED:
        entry = ch.bank[bank, B_ACTIVE]
    elif action == SERVE_HIT:
        entry = ch.bank[bank, B_HIT + ch.st[S_MODE]]
    elif action == CONTINUE:
        entry = ch.st[S_CAS_ENTRY]
    elif action == SECOND:
        entry = ch.st[S_OPENING]
    return entry


@inlined
def announce(ch: Channel, action: int, bank: int) -> None:
    """LPDDR: wake the data strobe with a CAS; the access follows in the next tick."""
    entry = _entry_of(ch, action, bank)
    clock = ch.st[S_CLOCK]
    record(ch, CAS, bank, ch.queue[entry, Q_INDEX])
    ch.st[S_CAS_ENTRY] = entry
    ch.st[S_CAS_SOURCE] = action
    ch.st[S_NEXT_ACTIVE] = min(ch.st[S_NEXT_ACTIVE], clock + 1)
    ch.st[S_NEXT_HIT] = min(ch.st[S_NEXT_HIT], clock + 1)


@inlined
def _finish_column(ch: Channel, requests: Requests, entry: int) -> None:
    """The request is served; no column command can go before its rank allows it again."""
    clock, write = ch.st[S_CLOCK], ch.queue[entry, Q_WRITE]
    length = ch.par[P_STROBE_WRITE] if write else ch.par[P_STROBE_READ]
    ch.st[S_STROBE] = max(ch.st[S_STROBE], clock + length)
    requests.depart[ch.queue[entry, Q_INDEX]] = clock + (0 if write else ch.par[P_LATENCY])
    ch.st[S_SERVED] += 1 - write
    ch.st[S_WAITING] -= 1
    release(ch, entry)
    reads, writes = _earliest_rank(ch, RD), _earliest_rank(ch, WR)
    ch.st[S_NEXT_HIT] = max(ch.st[S_NEXT_HIT], writes if ch.st[S_MODE] else reads)
    ch.st[S_NEXT_ACTIVE] = max(ch.st[S_NEXT_ACTIVE], min(reads, writes))


@inlined
def _finish_row(ch: Channel, entry: int, command: int, bank: int) -> None:
    """A row was opened (for this entry, which now waits for its column command) or closed."""
    if command == ACT2:
        ch.bank[bank, B_OPEN] = ch.queue[entry, Q_ROW]
        ch.st[S_OPENING] = -1
    elif command == ACT:
        bound = min(ch.st[S_NEXT_PRECHARGE], _earliest_rank(ch, ACT))
        ch.st[S_NEXT_ROW] = max(ch.st[S_NEXT_ROW], bound)
        if ch.par[P_KIND] == SPLIT_ACTIVATE:
            ch.st[S_OPENING] = entry
            ch.st[S_DEADLINE] = ch.st[S_CLOCK] + ch.par[P_ACT2_LIMIT]
            return
    else:
        return
    set_active(ch, bank, entry)


@inlined
def send(ch: Channel, requests: Requests, action: int, bank: int) -> None:
    """Carry out an action that the timing rules allow now."""
    entry = _entry_of(ch, action, bank)
    _count(ch, entry)
    source = ch.st[S_CAS_SOURCE] if action == CONTINUE else action
    ch.st[S_CAS_ENTRY] = -1
    column = action != ROW and action != SECOND
    command = ACT2
    if action == ROW:
        command = ch.bank[bank, B_COMMAND]
    if source == SERVE_OPENED:
        set_active(ch, bank, -1)
    if source == SERVE_HIT or command == ACT:
        dequeue(ch, entry)
    if column:
        command = _column_command(ch, bank, ch.queue[entry, Q_WRITE])
    issue(ch, command, bank, ch.queue[entry, Q_ROW], ch.queue[entry, Q_INDEX])
    if column:
        _finish_column(ch, requests, entry)
    else:
        note_row(ch, command, ch.bank[bank, B_RANK], bank)
        _finish_row(ch, entry, command, bank)
    if column and command != RDA and command != WRA:
        touch(ch, bank)
    else:
        refresh_view(ch, bank)
