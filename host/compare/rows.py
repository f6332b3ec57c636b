"""Workloads as rows: only entries of equal model, tokens and MACs share one."""

from collections.abc import Sequence
from dataclasses import dataclass

from m3vit.host.compare.entry import Entry, Workload
from m3vit.host.compare.reading import CompareError


@dataclass(frozen=True, kw_only=True)
class Row:
    """One workload and every machine that ran it.

    Raises:
        CompareError: an entry computed something else; the message says what differs.
    """

    workload: Workload
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        first = self.entries[0]
        for entry in self.entries[1:]:
            reason = first.workload.differs(entry.workload)
            if reason is not None:
                raise CompareError(
                    f"{first.machine} ({first.workload.text()}) and {entry.machine} "
                    f"({entry.workload.text()}) cannot share a row: {reason}; compare equal work"
                )


def one_row(entries: Sequence[Entry]) -> Row:
    """All entries in one row, or the refusal of :class:`Row`.

    Raises:
        CompareError: there is none, or they differ in work.
    """
    if not entries:
        raise CompareError("no entries to compare, expected at least one record")
    return Row(workload=entries[0].workload, entries=tuple(entries))


def rows_of(entries: Sequence[Entry]) -> list[Row]:
    """As few rows as equal work allows, in order of work; what states no work comes last."""
    groups: list[list[Entry]] = []
    for entry in entries:
        fitting = (g for g in groups if g[0].workload.differs(entry.workload) is None)
        group = next(fitting, None)
        if group is None:
            groups.append([entry])
        else:
            group.append(entry)
    rows = [one_row(group) for group in groups]
    return sorted(rows, key=lambda row: (row.workload.macs is None, row.workload.macs or 0))


def apart(rows: Sequence[Row]) -> list[str]:
    """Why rows that look alike are apart: equal tokens or model, but not all of it."""
    stated = [row for row in rows if row.workload.differs(row.workload) is None]
    alone = [row.entries[0].machine for row in rows if row.workload.differs(row.workload)]
    notes = [
        f"{first.workload.model} and {second.workload.model} are apart: {reason}."
        for number, first in enumerate(stated)
        for second in stated[number + 1 :]
        if _alike(first.workload, second.workload)
        and (reason := first.workload.differs(second.workload))
    ]
    if alone:
        notes.append(f"{'; '.join(alone)}: each alone, tokens or MACs are not stated.")
    return notes


def _alike(first: Workload, second: Workload) -> bool:
    same_size = first.tokens == second.tokens and first.macs == second.macs
    return first.model == second.model or same_size
