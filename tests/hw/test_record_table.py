import pytest

from m3vit.hw.record_table import render_table
from m3vit.hw.records import Evidence, RecordError, ResultRecord, figure


def _record(device: str, cycles: int, evidence: Evidence, source: str = "") -> ResultRecord:
    return ResultRecord(
        model="tiny",
        task="depth",
        device=device,
        figures={"cycles": figure("cycles", cycles, evidence, source)},
    )


def test_shared_evidence_stands_under_the_title() -> None:
    same = [_record("a", 284_900, Evidence.RTL), _record("b", 443_000, Evidence.RTL)]
    lines = render_table(same, ["device", "cycles"]).splitlines()
    assert lines[0].split("  ")[-1] == "M cycles"
    assert lines[2].strip() == "rtl"
    assert lines[3].split() == ["a", "0.2849"]


def test_mixed_evidence_stands_beside_each_figure() -> None:
    mixed = [
        _record("ours", 284_900, Evidence.RTL),
        _record("theirs", 10_392_000, Evidence.PUBLISHED, "Edge-MoE"),
    ]
    lines = render_table(mixed, ["device", "cycles"]).splitlines()
    assert lines[3].split() == ["ours", "0.2849", "rtl"]
    assert lines[4].split() == ["theirs", "10.3920", "published"]


def test_absent_figures_are_a_dash() -> None:
    lines = render_table([_record("a", 1, Evidence.RTL)], ["device", "energy_mj"]).splitlines()
    assert lines[-1].split() == ["a", "-"]


def test_unknown_columns_are_refused() -> None:
    with pytest.raises(RecordError, match="unknown column 'speed'"):
        render_table([], ["speed"])
