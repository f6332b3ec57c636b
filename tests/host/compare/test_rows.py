"""Only equal work shares a row, and what is refused says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.host.compare.entry import Workload
from m3vit.host.compare.reading import CompareError
from m3vit.host.compare.rows import Row, apart, one_row, rows_of
from tests.host.compare.entries import WORK, entry

OTHER_TOKENS = Workload(model="tiny", tokens=197, macs=782_719_488)
OTHER_MODEL = Workload(model="tiny-k2", tokens=129, macs=782_719_488)
OTHER_WORK = Workload(model="tiny", tokens=129, macs=1)
UNSTATED = Workload(model="tiny", tokens=None, macs=None)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (OTHER_TOKENS, "tokens 129 and 197"),
        (OTHER_MODEL, "model tiny and tiny-k2"),
        (OTHER_WORK, "macs 782719488 and 1"),
        (UNSTATED, "tokens not stated"),
    ],
)
def test_unequal_work_refuses_to_share_a_row(other: Workload, reason: str) -> None:
    with pytest.raises(CompareError, match=f"A .* and B .* cannot share a row: {reason}"):
        one_row([entry("A"), entry("B", other)])


def test_equal_work_shares_a_row() -> None:
    (row,) = rows_of([entry("A"), entry("B"), entry("C")])
    assert [each.machine for each in row.entries] == ["A", "B", "C"]


def test_what_is_not_stated_equals_nothing_not_even_itself() -> None:
    assert len(rows_of([entry("A", UNSTATED), entry("B", UNSTATED)])) == 2
    with pytest.raises(CompareError, match="tokens not stated"):
        Row(workload=UNSTATED, entries=(entry("A", UNSTATED), entry("B", UNSTATED)))


def test_no_entries_are_an_error() -> None:
    with pytest.raises(CompareError, match="at least one record"):
        one_row([])


WORKLOADS = st.sampled_from([WORK, OTHER_TOKENS, OTHER_MODEL, OTHER_WORK, UNSTATED])


@given(st.lists(WORKLOADS))
def test_every_entry_stands_in_one_row_of_its_own_work(workloads: list[Workload]) -> None:
    rows = rows_of([entry(str(number), work) for number, work in enumerate(workloads)])
    found = sorted(int(each.machine) for row in rows for each in row.entries)
    assert found == list(range(len(workloads)))
    stated = [row.workload for row in rows if row.workload.tokens]
    assert len(set(stated)) == len(stated)
    work = [row.workload.macs for row in rows]
    assert work == sorted(work, key=lambda macs: (macs is None, macs or 0))


def test_reasons_are_given_for_rows_that_look_alike() -> None:
    entries = [entry("A"), entry("B", OTHER_MODEL), entry("C", OTHER_TOKENS), entry("D", UNSTATED)]
    notes = apart(rows_of(entries))
    assert "tiny and tiny-k2 are apart: model tiny and tiny-k2." in notes
    assert any("tokens 129 and 197" in note for note in notes)
    assert "D: each alone, tokens or MACs are not stated." in notes
