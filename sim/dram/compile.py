"""From a table's rules to the arrays that the compiled loop walks."""

import numpy as np

from m3vit.sim.dram import commands
from m3vit.sim.dram.kernel.layout import (
    ALL_RANKS,
    OTHER_RANKS,
    OTHER_STACKS,
    OWN_BANK,
    OWN_GROUP,
    OWN_RANK,
    OWN_STACK,
    RELATIONS,
    Ints,
)
from m3vit.sim.dram.table import MemoryTable, Rule

_RELATION = {
    ("channel", False): ALL_RANKS,
    ("rank", False): OWN_RANK,
    ("rank", True): OTHER_RANKS,
    ("stack", False): OWN_STACK,
    ("stack", True): OTHER_STACKS,
    ("group", False): OWN_GROUP,
    ("bank", False): OWN_BANK,
}


def compile_rules(table: MemoryTable, closed: bool) -> tuple[Ints, Ints]:
    """Rules as rows (after, latency, window), and where each command's rows lie by relation.

    ``spans[c, r]`` to ``spans[c, r + 1]`` are the rows of command ``c`` and relation ``r``;
    ``spans[c, RELATIONS + 1]`` tells whether any of them counts back.  Rules that another makes
    superfluous, and those about auto-precharge when pages stay open, are left out.
    """
    rows: list[tuple[int, int, int]] = []
    spans = np.zeros((commands.COUNT, RELATIONS + 2), np.int64)
    for command in range(commands.COUNT):
        own = _strongest(table, command, closed)
        for relation in range(RELATIONS):
            spans[command, relation] = len(rows)
            rows += [(key[1], latency, key[2]) for key, latency in own if key[0] == relation]
        spans[command, RELATIONS] = len(rows)
        spans[command, RELATIONS + 1] = any(key[2] > 1 for key, _ in own)
    return np.array(rows, np.int64).reshape(-1, 3), spans


def _strongest(
    table: MemoryTable, command: int, closed: bool
) -> list[tuple[tuple[int, int, int], int]]:
    """The longest latency for each (relation, follower, window) after ``command``."""
    longest: dict[tuple[int, int, int], int] = {}
    for rule in table.rules:
        if command not in rule.before or not rule.latency or _is_idle(table, rule):
            continue
        for after in rule.after:
            if closed or after not in (commands.RDA, commands.WRA):
                key = (_relation(table, rule), after, rule.window)
                longest[key] = max(longest.get(key, 0), rule.latency)
    return sorted(longest.items())


def _relation(table: MemoryTable, rule: Rule) -> int:
    relation = _RELATION[rule.level, rule.sibling]
    if relation == ALL_RANKS and table.organisation.ranks == 1:
        return OWN_RANK
    if relation == OWN_STACK and table.organisation.stacks == 1:
        return OWN_RANK
    return relation


def _is_idle(table: MemoryTable, rule: Rule) -> bool:
    """Sibling rules say nothing where there is only one node."""
    if not rule.sibling:
        return False
    count = table.organisation.ranks if rule.level == "rank" else table.organisation.stacks
    return count == 1
