"""When a command may go, and what its going forbids to others."""

from m3vit.sim.dram.commands import ACT, PREAB, PREPB, RDA, REFAB, WRA
from m3vit.sim.dram.kernel.jit import inlined, jit
from m3vit.sim.dram.kernel.layout import (
    ACTIVATING,
    ALL_RANKS,
    B_GROUP,
    B_OPEN,
    B_RANK,
    B_STACK,
    CLOSED,
    G_BANK,
    G_CLOCK,
    G_COMMAND,
    G_INDEX,
    K_OPEN,
    OTHER_RANKS,
    OTHER_STACKS,
    OWN_BANK,
    OWN_GROUP,
    OWN_RANK,
    OWN_STACK,
    P_BANKS,
    P_GROUPS,
    P_KIND,
    P_STACKS,
    RELATIONS,
    S_CLOCK,
    S_LOGGED,
    S_PAIR_BANK,
    S_PAIR_COMMAND,
    S_PAIR_EDGE,
    S_PAIR_RANK,
    SPLIT_ACTIVATE,
    Channel,
)


@inlined
def ready_at(ch: Channel, command: int, bank: int) -> int:
    """First tick at which ``command`` may go to ``bank``."""
    fields = ch.bank[bank]
    time: int = ch.bank_ready[bank, command]
    time = max(time, ch.group_ready[fields[B_GROUP], command])
    time = max(time, ch.rank_ready[fields[B_RANK], command])
    return time


@jit
def ready_all_at(ch: Channel, command: int, rank: int) -> int:
    """First tick at which an all-bank ``command`` may go to ``rank``."""
    time: int = ch.rank_ready[rank, command]
    groups = ch.par[P_STACKS] * ch.par[P_GROUPS]
    for group in range(rank * groups, (rank + 1) * groups):
        time = max(time, ch.group_ready[group, command])
    banks = groups * ch.par[P_BANKS]
    for bank in range(rank * banks, (rank + 1) * banks):
        time = max(time, ch.bank_ready[bank, command])
    return time


@inlined
def _delay(ch: Channel, command: int, rank: int, rule: int) -> int:
    """Tick before which the rule forbids its follower (a window counts back to older issues)."""
    window: int = ch.rules[rule, 2]
    clock: int = ch.st[S_CLOCK]
    if window > 1:
        clock = ch.history[rank, command, window - 1]
    latency: int = ch.rules[rule, 1]
    return clock + latency


@inlined
def _remember(ch: Channel, command: int, rank: int) -> None:
    past = ch.history[rank, command]
    for place in range(past.size - 1, 0, -1):
        past[place] = past[place - 1]
    past[0] = ch.st[S_CLOCK]


@inlined
def _stamp_ranks(ch: Channel, command: int, rank: int) -> None:
    spans = ch.spans[command]
    for rule in range(spans[OWN_RANK], spans[OWN_RANK + 1]):
        after = ch.rules[rule, 0]
        time = _delay(ch, command, rank, rule)
        ch.rank_ready[rank, after] = max(time, ch.rank_ready[rank, after])
    for rule in range(spans[ALL_RANKS], spans[ALL_RANKS + 1]):
        after = ch.rules[rule, 0]
        time = _delay(ch, command, rank, rule)
        for node in range(ch.rank_ready.shape[0]):
            ch.rank_ready[node, after] = max(time, ch.rank_ready[node, after])
    for rule in range(spans[OTHER_RANKS], spans[OTHER_RANKS + 1]):
        after = ch.rules[rule, 0]
        time = _delay(ch, command, rank, rule)
        for node in range(ch.rank_ready.shape[0]):
            if node != rank:
                ch.rank_ready[node, after] = max(time, ch.rank_ready[node, after])


@inlined
def _stamp_stacks(ch: Channel, command: int, bank: int) -> None:
    spans = ch.spans[command]
    if spans[OWN_STACK] == spans[OTHER_STACKS + 1]:
        return
    rank, own = ch.bank[bank, B_RANK], ch.bank[bank, B_STACK]
    stacks, groups = ch.par[P_STACKS], ch.par[P_GROUPS]
    for stack in range(stacks):
        relation = OWN_STACK if stack == own else OTHER_STACKS
        for rule in range(spans[relation], spans[relation + 1]):
            after = ch.rules[rule, 0]
            time = ch.st[S_CLOCK] + ch.rules[rule, 1]
            first = (rank * stacks + stack) * groups
            for node in range(first, first + groups):
                ch.group_ready[node, after] = max(time, ch.group_ready[node, after])


@inlined
def stamp(ch: Channel, command: int, bank: int) -> None:
    """Apply every timing rule that follows from ``command`` going to ``bank`` now."""
    rank, group = ch.bank[bank, B_RANK], ch.bank[bank, B_GROUP]
    spans = ch.spans[command]
    clock = ch.st[S_CLOCK]
    if spans[RELATIONS + 1]:
        _remember(ch, command, rank)
    _stamp_ranks(ch, command, rank)
    _stamp_stacks(ch, command, bank)
    for rule in range(spans[OWN_GROUP], spans[OWN_GROUP + 1]):
        after = ch.rules[rule, 0]
        ch.group_ready[group, after] = max(clock + ch.rules[rule, 1], ch.group_ready[group, after])
    for rule in range(spans[OWN_BANK], spans[OWN_BANK + 1]):
        after = ch.rules[rule, 0]
        ch.bank_ready[bank, after] = max(clock + ch.rules[rule, 1], ch.bank_ready[bank, after])


@jit
def stamp_all(ch: Channel, command: int, rank: int) -> None:
    """Apply the rules of an all-bank ``command``: rank rules only, by the table's own check."""
    if ch.spans[command, RELATIONS + 1]:
        _remember(ch, command, rank)
    _stamp_ranks(ch, command, rank)


@inlined
def record(ch: Channel, command: int, bank: int, index: int) -> None:
    """Count a command and write it to the log while there is room."""
    ch.counts[command] += 1
    place = ch.st[S_LOGGED]
    if place < ch.log.shape[0]:
        ch.log[place, G_CLOCK] = ch.st[S_CLOCK]
        ch.log[place, G_COMMAND] = command
        ch.log[place, G_BANK] = bank
        ch.log[place, G_INDEX] = index
        ch.st[S_LOGGED] = place + 1


@inlined
def close(ch: Channel, bank: int) -> None:
    """Mark a bank closed."""
    if ch.bank[bank, B_OPEN] != CLOSED:
        ch.bank[bank, B_OPEN] = CLOSED
        ch.rank[ch.bank[bank, B_RANK], K_OPEN] -= 1


@inlined
def issue(ch: Channel, command: int, bank: int, row: int, index: int) -> None:
    """Send a single-bank command: rules, the bank's state, count and log."""
    stamp(ch, command, bank)
    record(ch, command, bank, index)
    if command == ACT:
        split = ch.par[P_KIND] == SPLIT_ACTIVATE
        ch.bank[bank, B_OPEN] = ACTIVATING if split else row
        ch.rank[ch.bank[bank, B_RANK], K_OPEN] += 1
    elif command in (PREPB, RDA, WRA):
        close(ch, bank)


@jit
def issue_all(ch: Channel, command: int, rank: int) -> None:
    """Send an all-bank command to a rank; precharge closes its banks."""
    banks = ch.par[P_STACKS] * ch.par[P_GROUPS] * ch.par[P_BANKS]
    stamp_all(ch, command, rank)
    record(ch, command, rank * banks, -1)
    if command == PREAB:
        for bank in range(rank * banks, (rank + 1) * banks):
            close(ch, bank)


@inlined
def is_all_bank(command: int) -> bool:
    """Whether the command addresses a whole rank."""
    return command == PREAB or command == REFAB


@inlined
def note_row(ch: Channel, command: int, rank: int, bank: int) -> None:
    """Remember a row command of the rising edge: it restricts a falling edge soon after."""
    clock = ch.st[S_CLOCK]
    if clock % 2 == 1:
        ch.st[S_PAIR_COMMAND] = command
        ch.st[S_PAIR_RANK] = rank
        ch.st[S_PAIR_BANK] = bank
        ch.st[S_PAIR_EDGE] = clock + (3 if command == ACT else 1)
