from pathlib import Path

import pytest

from m3vit.hls.csynth import find_report, read_report
from m3vit.hw.errors import ToolError
from m3vit.hw.records import Evidence, ResultRecord

XML = """<?xml version="1.0" encoding="UTF-8"?>
<profile>
<ReportVersion><Version>2024.2</Version></ReportVersion>
<UserAssignments>
<unit>ns</unit>
<ProductFamily>zynquplus</ProductFamily>
<Part>xczu7ev-ffvc1156-2-e</Part>
<TopModelName>m3vit_moe</TopModelName>
<TargetClockPeriod>3.33</TargetClockPeriod>
<ClockUncertainty>0.90</ClockUncertainty>
<FlowTarget>vivado</FlowTarget>
</UserAssignments>
<PerformanceEstimates>
<PipelineType>dataflow</PipelineType>
<SummaryOfTimingAnalysis>
<unit>ns</unit>
<EstimatedClockPeriod>2.431</EstimatedClockPeriod>
</SummaryOfTimingAnalysis>
<SummaryOfOverallLatency>
<unit>clock cycles</unit>
<Best-caseLatency>{best}</Best-caseLatency>
<Average-caseLatency>undef</Average-caseLatency>
<Worst-caseLatency>{worst}</Worst-caseLatency>
<Interval-min>21001</Interval-min>
<Interval-max>345679</Interval-max>
</SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates>
<Resources>
<BRAM_18K>212</BRAM_18K>
<DSP>614</DSP>
<FF>90210</FF>
<LUT>120345</LUT>
<URAM>49</URAM>
</Resources>
<AvailableResources>
<BRAM_18K>624</BRAM_18K>
<DSP>1728</DSP>
<FF>460800</FF>
<LUT>230400</LUT>
<URAM>96</URAM>
</AvailableResources>
</AreaEstimates>
</profile>
"""

RPT = """

================================================================
== Vitis HLS Report for 'm3vit_moe'
================================================================
* Date:           (removed)

* Version:        2024.2 (Build 5238294)
* Project:        synth
* Solution:       solution (Vivado IP Flow Target)
* Product family: zynquplus
* Target device:  xczu7ev-ffvc1156-2-e


================================================================
== Performance Estimates
================================================================
+ Timing:
    * Summary:
    +--------+---------+----------+------------+
    |  Clock |  Target | Estimated| Uncertainty|
    +--------+---------+----------+------------+
    |ap_clk  |  3.33 ns|  2.431 ns|     0.90 ns|
    +--------+---------+----------+------------+

+ Latency:
    * Summary:
    +---------+---------+-----------+-----------+-------+--------+---------+
    |  Latency (cycles) |   Latency (absolute)  |    Interval    | Pipeline|
    |   min   |   max   |    min    |    max    |  min  |   max  |   Type  |
    +---------+---------+-----------+-----------+-------+--------+---------+
    |    {best}|    {worst}|   69.9 us |  1.151 ms |  21001|  345679| dataflow|
    +---------+---------+-----------+-----------+-------+--------+---------+

================================================================
== Utilization Estimates
================================================================
* Summary:
+-----------------+---------+------+--------+--------+-----+
|       Name      | BRAM_18K|  DSP |   FF   |   LUT  | URAM|
+-----------------+---------+------+--------+--------+-----+
|DSP              |        -|     -|       -|       -|    -|
|Instance         |      212|   614|   90000|  120000|   49|
+-----------------+---------+------+--------+--------+-----+
|Total            |      212|   614|   90210|  120345|   49|
+-----------------+---------+------+--------+--------+-----+
|Available        |      624|  1728|  460800|  230400|   96|
+-----------------+---------+------+--------+--------+-----+
|Utilization (%)  |       33|    35|      19|      52|   51|
+-----------------+---------+------+--------+--------+-----+
"""


def reports(folder: Path, best: str = "21000", worst: str = "345678") -> tuple[Path, Path]:
    place = folder / "synth" / "solution" / "syn" / "report"
    place.mkdir(parents=True)
    xml, text = place / "csynth.xml", place / "m3vit_moe_csynth.rpt"
    xml.write_text(XML.format(best=best, worst=worst))
    text.write_text(RPT.format(best=best, worst=worst))
    return xml, text


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    xml, text = reports(tmp_path)
    report = read_report(xml)
    assert report == read_report(text)
    assert (report.top, report.part) == ("m3vit_moe", "xczu7ev-ffvc1156-2-e")
    assert (report.best_cycles, report.worst_cycles) == (21000, 345678)
    assert report.cells == {"BRAM_18K": 212, "DSP": 614, "FF": 90210, "LUT": 120345, "URAM": 49}
    assert report.available["DSP"] == 1728


def test_the_record_is_modelled_worst_case(tmp_path: Path) -> None:
    record = read_report(reports(tmp_path)[0]).to_record("nano-scenes block1.moe", 129, macs=7)
    assert record.value("macs") == 7
    assert record.value("cycles") == 345678 and record.value("tokens") == 129
    assert record.value("latency_ms") == pytest.approx(345678 * 3.33e-6)
    assert record.value("resources")["DSP"] == 614
    assert all(entry.evidence is Evidence.MODELLED for entry in record.figures.values())
    assert ResultRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(("kind", "unknown"), [(0, "undef"), (1, "?")])
def test_an_unknown_latency_stays_unknown(tmp_path: Path, kind: int, unknown: str) -> None:
    report = read_report(reports(tmp_path, worst=unknown)[kind])
    assert report.best_cycles == 21000 and report.worst_cycles is None
    record = report.to_record("m", tokens=1)
    assert record.value("cycles") is None and record.value("latency_ms") is None


def test_a_clock_that_was_missed_counts_as_estimated(tmp_path: Path) -> None:
    xml, _ = reports(tmp_path)
    xml.write_text(xml.read_text().replace(">2.431<", ">5.0<"))
    assert read_report(xml).clock_mhz == pytest.approx(200)


def test_reports_are_found_in_a_project(tmp_path: Path) -> None:
    xml, text = reports(tmp_path)
    assert find_report(tmp_path) == xml and find_report(text) == text
    xml.unlink()
    assert find_report(tmp_path) == text
    text.unlink()
    with pytest.raises(ToolError, match="holds no csynth report"):
        find_report(tmp_path)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_truncated_reports_are_refused(tmp_path: Path, kind: int, share: float) -> None:
    file = reports(tmp_path)[kind]
    text = file.read_text()
    file.write_text(text[: int(share * len(text))])
    with pytest.raises(ToolError, match="no complete csynth report"):
        read_report(file)
    with pytest.raises(ToolError, match="cannot read"):
        read_report(tmp_path / "absent.xml")
