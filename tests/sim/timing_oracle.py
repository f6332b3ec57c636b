"""A second, slow and plain reading of the timing rules, to hold the compiled one against."""

from collections import defaultdict

from m3vit.sim.dram import commands
from m3vit.sim.dram.table import MemoryTable, Rule

Node = tuple[int, ...]


def nodes(table: MemoryTable, bank: int) -> dict[str, Node]:
    """The node of each level that holds a flat bank."""
    size = table.organisation
    bank, in_group = divmod(bank, size.banks)
    rest, group = divmod(bank, size.groups)
    rank, stack = divmod(rest, size.stacks)
    return {
        "channel": (),
        "rank": (rank,),
        "stack": (rank, stack),
        "group": (rank, stack, group),
        "bank": (rank, stack, group, in_group),
    }


def applies(table: MemoryTable, rule: Rule, first: int, second: int, all_banks: bool) -> bool:
    """Whether a rule links a command to bank ``first`` with one to bank ``second``."""
    here, there = nodes(table, first)[rule.level], nodes(table, second)[rule.level]
    if all_banks:  # the later command covers the whole rank of `second`
        return here[:1] == there[:1] and not rule.sibling
    if rule.sibling:
        return here != there and here[:-1] == there[:-1]
    return here == there


def earliest(table: MemoryTable, log: list[tuple[int, int, int]], command: int, bank: int) -> int:
    """First tick at which ``command`` may go to ``bank`` after a log of (tick, command, bank)."""
    ready = 0
    wide = command in commands.ALL_BANKS
    for rule in table.rules:
        if command not in rule.after or not rule.latency:
            continue
        seen: dict[int, list[int]] = defaultdict(list)
        for tick, before, where in log:
            if before in rule.before and applies(table, rule, where, bank, wide):
                seen[before].append(tick)
        for ticks in seen.values():
            if len(ticks) >= rule.window:
                ready = max(ready, ticks[-rule.window] + rule.latency)
    return ready


def violations(table: MemoryTable, log: list[tuple[int, int, int]], depth: int = 400) -> list[str]:
    """Commands of a log that went too early (each checked against the ``depth`` before it)."""
    found = []
    for place, (tick, command, bank) in enumerate(log):
        ready = earliest(table, log[max(0, place - depth) : place], command, bank)
        if tick < ready:
            found.append(f"{commands.NAMES[command]} to bank {bank} at {tick}, allowed at {ready}")
    return found


def state_errors(rows: list[tuple[int, int, int]], per_rank: int) -> list[str]:
    """Commands (command, bank, row) that the bank's state forbids."""
    is_open: dict[int, int] = {}
    found = []
    for command, bank, row in rows:
        name = commands.NAMES[command]
        if command in commands.COLUMN and is_open.get(bank) != row:
            found.append(f"{name} of row {row} in bank {bank} that holds {is_open.get(bank)}")
        if command == commands.ACT and bank in is_open:
            found.append(f"ACT of the open bank {bank}")
        if command == commands.REFPB and bank in is_open:
            found.append(f"refresh of the open bank {bank}")
        if command == commands.REFAB and any(b // per_rank == bank // per_rank for b in is_open):
            found.append(f"refresh of a rank with open banks at {bank}")
        if command == commands.ACT:
            is_open[bank] = row
        elif command in (commands.PREPB, commands.RDA, commands.WRA):
            is_open.pop(bank, None)
        elif command == commands.PREAB:
            for other in [b for b in is_open if b // per_rank == bank // per_rank]:
                del is_open[other]
    return found
