from pathlib import Path

import pytest

from m3vit.boards.reports import LIMITS, read_reports
from m3vit.hw.errors import ToolError
from m3vit.hw.records import ResultRecord
from tests.boards.report_texts import BAD, spoil, write_reports


def test_figures_are_those_of_the_reports(tmp_path: Path) -> None:
    found = read_reports(write_reports(tmp_path))
    assert found.tool == "Vivado v.2024.1"
    assert found.device == "xczu7ev-ffvc1156-2-e"
    assert found.slack_ns == {"setup": 0.021, "hold": 0.010, "pulse width": 0.5}
    assert found.clock_mhz == 299.94
    assert found.reachable_mhz == pytest.approx(1e3 / (1e3 / 299.94 - 0.021))
    used = {name: usage.used for name, usage in found.cells.items()}
    expected = [101234, 140000, 282.5, 93, 1712]
    assert used == dict(zip(LIMITS, expected, strict=True))
    assert found.cells["Block RAM Tile"].percent == pytest.approx(100 * 282.5 / 312)
    assert found.power_w == 9.876
    assert found.failures(multipliers=1536) == []


def test_older_reports_have_a_column_less(tmp_path: Path) -> None:
    path = write_reports(tmp_path) / "utilization.rpt"
    path.write_text(path.read_text().replace("|          0 |", "|"))
    assert read_reports(tmp_path).cells["DSPs"].available == 1728


def test_power_may_be_absent(tmp_path: Path) -> None:
    (write_reports(tmp_path) / "power.rpt").unlink()
    assert read_reports(tmp_path).power_w is None


@pytest.mark.parametrize("what", BAD)
def test_every_bad_figure_is_a_failure(what: str, tmp_path: Path) -> None:
    spoil(write_reports(tmp_path), what)
    failures = read_reports(tmp_path).failures(multipliers=1536)
    assert len(failures) == 1 and what in failures[0]


@pytest.mark.parametrize("name", ["timing.rpt", "utilization.rpt"])
def test_missing_and_cut_reports_are_named(name: str, tmp_path: Path) -> None:
    path = write_reports(tmp_path) / name
    path.write_text(path.read_text()[:500])
    with pytest.raises(ToolError, match=f"{name} has no .*cut off"):
        read_reports(tmp_path)
    path.unlink()
    with pytest.raises(ToolError, match=f"cannot read report .*{name}"):
        read_reports(tmp_path)


def test_an_unconstrained_design_has_no_slack(tmp_path: Path) -> None:
    path = write_reports(tmp_path) / "timing.rpt"
    path.write_text(path.read_text().replace("      0.021  ", "         NA  "))
    with pytest.raises(ToolError, match="is anything constrained"):
        read_reports(tmp_path)


def test_the_record_keeps_cells_and_clock(tmp_path: Path) -> None:
    record = read_reports(write_reports(tmp_path)).to_record("zcu104", "zcu104", "abc")
    again = ResultRecord.from_json(record.to_json())
    assert again.value("clock_mhz") == 299.94
    assert again.value("resources")["DSPs"] == 1712
    assert again.figures["resources"].source == "Vivado v.2024.1, placed and routed"
