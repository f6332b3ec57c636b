"""Entries of records: a preset's name states its work, nothing else is filled in."""

from dataclasses import replace

import pytest

from m3vit.host.compare.entry import entry_of_record
from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.presets import MODELS
from m3vit.hw.records import Evidence, ResultRecord, figure

TINY = MODELS["tiny-cityscapes"]
BARE = ResultRecord(
    model=TINY.name,
    task="semseg",
    device="rtl",
    figures={"latency_ms": figure("latency_ms", 1.0, Evidence.RTL, "counter")},
)


def _with(record: ResultRecord, **values: int) -> ResultRecord:
    more = {name: figure(name, value, Evidence.MODELLED) for name, value in values.items()}
    return replace(record, figures={**record.figures, **more})


def test_a_preset_states_its_work() -> None:
    for record in (BARE, _with(BARE, tokens=TINY.tokens)):
        found = entry_of_record(record)
        assert (found.workload.tokens, found.workload.macs) == (TINY.tokens, encoder_macs(TINY))
        assert found.machine == "ours, RTL in simulation" and found.task == "semseg"


def test_what_a_record_states_is_kept() -> None:
    assert entry_of_record(_with(BARE, macs=7)).workload.macs == 7
    other = entry_of_record(_with(BARE, tokens=TINY.tokens + 1)).workload
    assert (other.tokens, other.macs) == (TINY.tokens + 1, None)


@pytest.mark.parametrize("task", ["any", "task0"])
def test_no_task_is_shown_where_there_is_none(task: str) -> None:
    assert entry_of_record(replace(BARE, task=task, model="mine")).task == ""
    assert entry_of_record(replace(BARE, model="mine")).workload.tokens is None
