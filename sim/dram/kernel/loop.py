"""The loop over ticks: requests arrive, refreshes fall due, commands go, idle ticks are skipped."""

from m3vit.sim.dram.kernel.banks import enqueue
from m3vit.sim.dram.kernel.decide import decide, slots
from m3vit.sim.dram.kernel.jit import inlined, jit
from m3vit.sim.dram.kernel.layout import (
    B_HEAD,
    NEVER,
    NOTHING,
    P_DRAIN,
    P_FRONT,
    P_READ_SLOTS,
    Q_ARRIVE,
    Q_BANK,
    Q_COUNTED,
    Q_INDEX,
    Q_NEXT,
    Q_ROW,
    Q_SEQ,
    Q_WRITE,
    REFRESHED,
    S_BLOCKED,
    S_CAS_ENTRY,
    S_CLOCK,
    S_COALESCED,
    S_FORWARDED,
    S_FREE,
    S_N_ACTIVE,
    S_NEXT_ACTIVE,
    S_NEXT_HIT,
    S_NEXT_PRIORITY,
    S_NEXT_REFRESH,
    S_NEXT_ROW,
    S_OPENING,
    S_PRIORITY_COUNT,
    S_QUEUED,
    S_REF_LEFT,
    S_SENT,
    S_SEQ,
    S_WAITING,
    SERVE_HIT,
    SERVE_OPENED,
    WAKE_HIT,
    WAKE_OPENED,
    Channel,
    Requests,
)
from m3vit.sim.dram.kernel.refresh import refresh_due
from m3vit.sim.dram.kernel.send import announce, send


@inlined
def _is_buffered_write(ch: Channel, requests: Requests, index: int) -> bool:
    entry: int = ch.bank[requests.bank[index], B_HEAD + 1]
    while entry >= 0:
        if requests.line[ch.queue[entry, Q_INDEX]] == requests.line[index]:
            return True
        entry = ch.queue[entry, Q_NEXT]
    return False


@inlined
def _absorb(ch: Channel, requests: Requests, index: int) -> None:
    """A request to a line whose write is still buffered needs no memory access."""
    write = requests.write[index]
    clock = ch.st[S_CLOCK]
    requests.arrive[index] = clock
    requests.depart[index] = clock + (0 if write else 1)
    ch.st[S_COALESCED] += write
    ch.st[S_FORWARDED] += 1 - write


@inlined
def _insert(ch: Channel, requests: Requests, index: int) -> None:
    ch.st[S_FREE] -= 1
    entry = ch.free[ch.st[S_FREE]]
    requests.arrive[index] = ch.st[S_CLOCK]
    fields = ch.queue[entry]
    fields[Q_BANK] = requests.bank[index]
    fields[Q_ROW] = requests.row[index]
    fields[Q_WRITE] = requests.write[index]
    fields[Q_ARRIVE] = ch.st[S_CLOCK]
    fields[Q_INDEX] = index
    fields[Q_COUNTED] = 0
    fields[Q_SEQ] = ch.st[S_SEQ]
    ch.st[S_SEQ] += 1
    ch.st[S_WAITING] += 1
    enqueue(ch, entry)


@inlined
def _accept(ch: Channel, requests: Requests) -> bool:
    """Take the next request in if it has come and there is room; else say until when to wait."""
    index = ch.st[S_SENT]
    ch.st[S_BLOCKED] = NEVER
    if index >= requests.bank.size:
        return False
    if requests.not_before[index] > ch.st[S_CLOCK]:
        ch.st[S_BLOCKED] = requests.not_before[index]
        return False
    write = requests.write[index]
    if ch.st[S_QUEUED + 1] > 0 and _is_buffered_write(ch, requests, index):
        _absorb(ch, requests, index)
    elif ch.st[S_QUEUED + write] < ch.par[P_READ_SLOTS + write]:
        _insert(ch, requests, index)
    else:
        return False
    ch.st[S_SENT] = index + 1
    ch.st[S_BLOCKED] = ch.st[S_CLOCK]
    return True


@inlined
def _skip(ch: Channel) -> None:
    """Jump to just before the next tick in which anything can happen."""
    clock: int = ch.st[S_CLOCK]
    if ch.st[S_OPENING] >= 0 or ch.st[S_CAS_ENTRY] >= 0 or ch.st[S_REF_LEFT] > 0:
        return
    time = min(ch.st[S_NEXT_REFRESH], ch.st[S_BLOCKED] + 1)
    if ch.st[S_N_ACTIVE] > 0:
        time = min(time, ch.st[S_NEXT_ACTIVE])
    if ch.st[S_PRIORITY_COUNT] > 0:
        time = min(time, ch.st[S_NEXT_PRIORITY])
    else:
        time = min(time, ch.st[S_NEXT_HIT], ch.st[S_NEXT_ROW])
    if time > clock + 1 and time < NEVER:
        ch.st[S_CLOCK] = time - 1


@inlined
def _finished(ch: Channel, requests: Requests) -> bool:
    if ch.st[S_SENT] < requests.bank.size:
        return False
    return bool(ch.par[P_DRAIN] == 0 or ch.st[S_WAITING] == 0)


@jit
def run(ch: Channel, requests: Requests) -> int:
    """Run the trace and return the ticks taken; without drain, until the last request is sent."""
    tries = 1
    while True:
        for _ in range(tries):
            if not _accept(ch, requests):
                break
        if _finished(ch, requests):
            return int(ch.st[S_CLOCK])
        tries = ch.par[P_FRONT]
        ch.st[S_CLOCK] += 1
        refresh_due(ch)
        sent = False
        for slot in range(slots(ch)):
            action, bank = decide(ch, slot)
            sent = sent or action != NOTHING
            if action == WAKE_OPENED or action == WAKE_HIT:
                announce(ch, SERVE_OPENED if action == WAKE_OPENED else SERVE_HIT, bank)
            elif action > REFRESHED:
                send(ch, requests, action, bank)
        if not sent:
            _skip(ch)
