"""One port of an in-memory unit, command by command: ALL-ACT, ALL-RD, ALL-PRE and refresh.

The commands reach all banks of a bundle at once, so the rules between single-bank commands of one
bank hold between them; reads of a port keep the unit's spacing.
"""

from typing import NamedTuple

from m3vit.sim.dram import commands
from m3vit.sim.dram.kernel.jit import jit
from m3vit.sim.dram.kernel.layout import Ints
from m3vit.sim.dram.table import MemoryTable


class Gaps(NamedTuple):
    """Waits between commands to the same banks, in ticks."""

    act_to_act: int
    act_to_read: int
    act_to_pre: int
    read_to_pre: int
    pre_to_act: int
    pre_to_refresh: int
    refresh: int
    interval: int


def gaps_of(table: MemoryTable) -> Gaps:
    """The waits that a memory's rules set between commands to one bank."""

    def wait(before: int, after: int) -> int:
        return max(
            (
                rule.latency
                for rule in table.rules
                if before in rule.before and after in rule.after
                if rule.window == 1 and rule.level == "bank"
            ),
            default=0,
        )

    act, read, pre = commands.ACT, commands.RD, commands.PREPB
    return Gaps(
        act_to_act=wait(act, act),
        act_to_read=wait(act, read),
        act_to_pre=wait(act, pre),
        read_to_pre=wait(read, pre),
        pre_to_act=wait(pre, act),
        pre_to_refresh=table.ticks("nRP"),
        refresh=table.ticks("nRFC"),
        interval=table.ticks("nREFI"),
    )


@jit
def run_stream(
    reads: int, per_row: int, spacing: int, gaps: Gaps, bundles: Ints, out: Ints, due: int
) -> int:
    """Ticks for ``reads`` commands; ``out`` counts activations, reads, precharges, refreshes.

    ``spacing`` is the distance of reads, stretched beforehand when arithmetic is the limit.
    Bundles (columns of zeros of the working array ``bundles``: opened, closed, reads left in the
    row) take rows in turn; the next row opens as early as its own banks allow.  The first refresh
    falls due at tick ``due``.
    """
    opened, closed, left = bundles[0], bundles[1], bundles[2]
    count = opened.size
    opened[:] = -gaps.act_to_act
    closed[:] = -gaps.pre_to_act
    last, refreshed_at = -spacing, 0
    current, clock = 0, 0
    assigned = 0
    while out[1] < reads:
        for bundle in range(count):
            if left[bundle] == 0 and assigned < reads:
                earliest = max(closed[bundle] + gaps.pre_to_act, opened[bundle] + gaps.act_to_act)
                opened[bundle] = max(earliest, refreshed_at)
                left[bundle] = min(per_row, reads - assigned)
                assigned += left[bundle]
                out[0] += 1
        clock = max(last + spacing, opened[current] + gaps.act_to_read)
        if clock >= due:
            refreshed_at = _refresh(last, opened, closed, left, gaps, due, out)
            due += gaps.interval
            continue
        last = clock
        out[1] += 1
        left[current] -= 1
        if left[current] == 0:
            closed[current] = max(last + gaps.read_to_pre, opened[current] + gaps.act_to_pre)
            out[2] += 1
            current = (current + 1) % count
    return last + spacing


@jit
def _refresh(
    last: int,
    opened: Ints,
    closed: Ints,
    left: Ints,
    gaps: Gaps,
    due: int,
    out: Ints,
) -> int:
    """Close what is open, refresh, open again what was not finished; returns the end of it."""
    start = due
    for bundle in range(opened.size):
        if left[bundle] > 0:
            closed[bundle] = max(due, last + gaps.read_to_pre, opened[bundle] + gaps.act_to_pre)
            out[2] += 1
        start = max(start, closed[bundle] + gaps.pre_to_refresh)
    end = start + gaps.refresh
    for bundle in range(opened.size):
        if left[bundle] > 0:
            opened[bundle] = end
            out[0] += 1
    out[3] += 1
    return end
