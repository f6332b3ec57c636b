"""What each kind of controller may send in a tick: opened requests, then refresh, then the queue.

DDR sends one command a tick.  HBM has a column slot and a row slot; HBM3's columns go on rising
edges only.  LPDDR5 opens rows in two steps and wakes its data strobe before an access.
"""

from m3vit.sim.dram.commands import RD, WR
from m3vit.sim.dram.kernel.jit import inlined, jit
from m3vit.sim.dram.kernel.layout import (
    B_HIT,
    B_MISS,
    CONTINUE,
    DUAL_BUS,
    DUAL_EDGE,
    NOTHING,
    P_KIND,
    Q_BANK,
    Q_SEQ,
    Q_WRITE,
    REFRESHED,
    ROW,
    S_CAS_ENTRY,
    S_CLOCK,
    S_DEADLINE,
    S_MODE,
    S_NEXT_HIT,
    S_NEXT_PRIORITY,
    S_NEXT_ROW,
    S_OPENING,
    S_PRIORITY_COUNT,
    S_PRIORITY_HEAD,
    S_STROBE,
    SECOND,
    SERVE_HIT,
    SERVE_OPENED,
    SPLIT_ACTIVATE,
    WAKE_HIT,
    WAKE_OPENED,
    Channel,
)
from m3vit.sim.dram.kernel.pick import (
    choose_direction,
    edge_allows,
    pick_active,
    pick_hit,
    pick_row,
)
from m3vit.sim.dram.kernel.refresh import priority_command, priority_time, send_priority
from m3vit.sim.dram.kernel.timing import ready_at


@jit
def _try_priority(ch: Channel) -> bool:
    command = priority_command(ch)
    time = priority_time(ch, command)
    clock = ch.st[S_CLOCK]
    if time <= clock:
        place = ch.st[S_PRIORITY_HEAD]
        if edge_allows(ch, command, ch.priority[place, 1], ch.priority[place, 2]):
            send_priority(ch, command)
            return True
        time = clock + 1
    ch.st[S_NEXT_PRIORITY] = time
    return False


@inlined
def _older(ch: Channel, hit: int, miss: int) -> bool:
    """Whether the row hit of bank ``hit`` is older than the row miss of bank ``miss``."""
    mode = ch.st[S_MODE]
    first = ch.queue[ch.bank[hit, B_HIT + mode], Q_SEQ]
    second = ch.queue[ch.bank[miss, B_MISS + mode], Q_SEQ]
    return bool(first < second)


@inlined
def _from_queue(ch: Channel, columns: bool, rows: bool) -> tuple[int, int]:
    """The oldest ready request of the queue, as (action, bank)."""
    choose_direction(ch)
    hit = pick_hit(ch) if columns else -1
    miss = pick_row(ch) if rows else -1
    again = ch.st[S_CLOCK] + 1
    if hit >= 0 and (miss < 0 or _older(ch, hit, miss)):
        if miss >= 0:
            ch.st[S_NEXT_ROW] = min(ch.st[S_NEXT_ROW], again)
        return SERVE_HIT, hit
    if miss >= 0:
        if hit >= 0:
            ch.st[S_NEXT_HIT] = min(ch.st[S_NEXT_HIT], again)
        return ROW, miss
    return NOTHING, -1


@inlined
def _choose(ch: Channel, columns: bool, rows: bool) -> tuple[int, int]:
    if columns:
        bank = pick_active(ch)
        if bank >= 0:
            return SERVE_OPENED, bank
    if ch.st[S_PRIORITY_COUNT] > 0:
        if rows and _try_priority(ch):
            return REFRESHED, -1
        return NOTHING, -1
    return _from_queue(ch, columns, rows)


@inlined
def _forced(ch: Channel) -> tuple[int, int]:
    """LPDDR: an announced access, or a second activate that may wait no longer."""
    clock = ch.st[S_CLOCK]
    entry = ch.st[S_CAS_ENTRY]
    if entry >= 0:
        bank = ch.queue[entry, Q_BANK]
        command = WR if ch.queue[entry, Q_WRITE] else RD
        return (CONTINUE if ready_at(ch, command, bank) <= clock else REFRESHED), bank
    opening = ch.st[S_OPENING]
    if opening >= 0 and ch.st[S_DEADLINE] <= clock:
        return SECOND, ch.queue[opening, Q_BANK]
    return NOTHING, -1


@inlined
def _refine(ch: Channel, action: int, bank: int) -> tuple[int, int]:
    """LPDDR: a sleeping strobe turns an access into a CAS; idle ticks finish an activation."""
    clock = ch.st[S_CLOCK]
    opening = ch.st[S_OPENING]
    access = action == SERVE_OPENED or action == SERVE_HIT
    asleep = access and clock >= ch.st[S_STROBE]
    if opening >= 0 and (action == NOTHING or (asleep and ch.st[S_DEADLINE] <= clock + 1)):
        return SECOND, ch.queue[opening, Q_BANK]
    if asleep:
        return (WAKE_OPENED if action == SERVE_OPENED else WAKE_HIT), bank
    return action, bank


@inlined
def decide(ch: Channel, slot: int) -> tuple[int, int]:
    """The action of this slot and the bank that it concerns."""
    kind = ch.par[P_KIND]
    dual = kind == DUAL_BUS or kind == DUAL_EDGE
    columns = not dual or (slot == 0 and (kind == DUAL_BUS or ch.st[S_CLOCK] % 2 == 1))
    action, bank = NOTHING, -1
    if kind == SPLIT_ACTIVATE:
        action, bank = _forced(ch)
    if action == NOTHING:
        action, bank = _choose(ch, columns, not dual or slot == 1)
        if kind == SPLIT_ACTIVATE:
            action, bank = _refine(ch, action, bank)
    return action, bank


@inlined
def slots(ch: Channel) -> int:
    """Commands that may go in one tick."""
    kind = ch.par[P_KIND]
    return 2 if kind == DUAL_BUS or kind == DUAL_EDGE else 1
