"""First ready, first come, first served: the oldest request whose next command may go now.

Every picker leaves behind the earliest tick at which one of the others may become ready, so that
the loop can jump over ticks in which nothing can happen.
"""

from m3vit.sim.dram.commands import ACT, PREAB, PREPB, RD, WR
from m3vit.sim.dram.kernel.banks import row_command
from m3vit.sim.dram.kernel.jit import inlined
from m3vit.sim.dram.kernel.layout import (
    B_ACTIVE,
    B_COMMAND,
    B_GROUP,
    B_HIT,
    B_MISS,
    B_RANK,
    DUAL_EDGE,
    L_ACTIVE,
    L_HIT,
    L_MISS,
    NEVER,
    P_KIND,
    P_WRITE_HIGH,
    P_WRITE_LOW,
    Q_ARRIVE,
    Q_OPENED,
    Q_SEQ,
    Q_WRITE,
    S_CLOCK,
    S_MODE,
    S_N_ACTIVE,
    S_N_HIT,
    S_N_MISS,
    S_NEXT_ACTIVE,
    S_NEXT_HIT,
    S_NEXT_PRECHARGE,
    S_NEXT_ROW,
    S_OPENING,
    S_PAIR_BANK,
    S_PAIR_COMMAND,
    S_PAIR_EDGE,
    S_PAIR_RANK,
    S_QUEUED,
    Channel,
)
from m3vit.sim.dram.kernel.timing import is_all_bank, ready_at


@inlined
def pick_active(ch: Channel) -> int:
    """The bank whose opened request may be served now, oldest first, or -1."""
    clock: int = ch.st[S_CLOCK]
    if clock < ch.st[S_NEXT_ACTIVE]:
        return -1
    best, later = -1, NEVER
    best_arrive, best_opened = NEVER, NEVER
    for place in range(ch.st[S_N_ACTIVE]):
        bank = ch.lists[L_ACTIVE, place]
        entry = ch.bank[bank, B_ACTIVE]
        time = ready_at(ch, WR if ch.queue[entry, Q_WRITE] else RD, bank)
        if time > clock:
            later = min(later, time)
            continue
        arrive, opened = ch.queue[entry, Q_ARRIVE], ch.queue[entry, Q_OPENED]
        if best >= 0:
            later = clock + 1
        if arrive < best_arrive or (arrive == best_arrive and opened < best_opened):
            best, best_arrive, best_opened = bank, arrive, opened
    ch.st[S_NEXT_ACTIVE] = later
    return best


@inlined
def pick_hit(ch: Channel) -> int:
    """The bank with the oldest ready row hit in the current direction, or -1."""
    clock: int = ch.st[S_CLOCK]
    if clock < ch.st[S_NEXT_HIT]:
        return -1
    mode = ch.st[S_MODE]
    command = RD + mode
    best, later, age = -1, NEVER, NEVER
    for place in range(ch.st[S_N_HIT + mode]):
        bank = ch.lists[L_HIT + mode, place]
        fields = ch.bank[bank]
        time: int = ch.rank_ready[fields[B_RANK], command]
        if time <= clock:
            time = max(ch.bank_ready[bank, command], ch.group_ready[fields[B_GROUP], command])
        if time > clock:
            later = min(later, time)
            continue
        if best >= 0:
            later = clock + 1
        seq = ch.queue[fields[B_HIT + mode], Q_SEQ]
        if seq < age:
            best, age = bank, seq
    ch.st[S_NEXT_HIT] = later
    return best


@inlined
def edge_allows(ch: Channel, command: int, rank: int, bank: int) -> bool:
    """Half-clock rules of HBM3's row bus: the falling edge carries precharges only.

    A precharge may not pair with the row command of the rising edge when both concern one bank.
    """
    clock = ch.st[S_CLOCK]
    if ch.par[P_KIND] != DUAL_EDGE or clock % 2 == 1:
        return True
    if command != PREPB and command != PREAB:
        return False
    if clock != ch.st[S_PAIR_EDGE] or rank != ch.st[S_PAIR_RANK]:
        return True
    if is_all_bank(ch.st[S_PAIR_COMMAND]):
        return False
    return command == PREPB and bank != ch.st[S_PAIR_BANK]


@inlined
def pick_row(ch: Channel) -> int:
    """The bank with the oldest ready activate or precharge in the current direction, or -1."""
    clock: int = ch.st[S_CLOCK]
    if clock < ch.st[S_NEXT_ROW]:
        return -1
    mode = ch.st[S_MODE]
    best, age, opens, closes = -1, NEVER, NEVER, NEVER
    for place in range(ch.st[S_N_MISS + mode]):
        bank = ch.lists[L_MISS + mode, place]
        command = ch.bank[bank, B_COMMAND]
        if command < 0:
            continue
        time = ready_at(ch, command, bank)
        if time <= clock:
            barred = command == ACT and ch.st[S_OPENING] >= 0
            seq = ch.queue[ch.bank[bank, B_MISS + mode], Q_SEQ]
            if not barred and edge_allows(ch, command, ch.bank[bank, B_RANK], bank) and seq < age:
                best, age = bank, seq
            time = clock + 1
        if command == ACT:
            opens = min(opens, time)
        else:
            closes = min(closes, time)
    ch.st[S_NEXT_PRECHARGE] = closes
    ch.st[S_NEXT_ROW] = min(opens, closes)
    return best


@inlined
def choose_direction(ch: Channel) -> None:
    """Switch between serving reads and draining writes by the two watermarks."""
    reads, writes = ch.st[S_QUEUED], ch.st[S_QUEUED + 1]
    mode = ch.st[S_MODE]
    if mode == 0 and (writes > ch.par[P_WRITE_HIGH] or reads == 0):
        mode = 1
    elif mode == 1 and writes < ch.par[P_WRITE_LOW] and reads != 0:
        mode = 0
    if mode != ch.st[S_MODE]:
        ch.st[S_MODE] = mode
        ch.st[S_NEXT_HIT] = 0
        ch.st[S_NEXT_ROW] = 0
        for place in range(ch.st[S_N_MISS + mode]):
            bank = ch.lists[L_MISS + mode, place]
            ch.bank[bank, B_COMMAND] = row_command(ch, bank, mode)
