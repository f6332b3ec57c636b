"""The table: evidence beside each figure, sources as footnotes, absent machines named."""

from m3vit.host.compare.entry import Workload
from m3vit.host.compare.markdown import render
from m3vit.host.compare.rows import rows_of
from m3vit.hw.records import Evidence
from tests.host.compare.entries import entry


def test_table_word_for_word() -> None:
    entries = [
        entry("ours", latency_ms=0.955, dram_bytes=11_511_776, source="s1"),
        entry("theirs", evidence=Evidence.PUBLISHED, source="s2", latency_ms=34.64, energy_mj=504),
    ]
    assert render(rows_of(entries)) == (
        "| workload | machine | ms/image | mJ/image | DRAM MB/image |\n"
        "|---|---|---:|---:|---:|\n"
        "| tiny, 129 tokens, 0.783 GMAC | ours | 0.955 modelled<sup>1</sup> | - |"
        " 11.5 modelled<sup>1</sup> |\n"
        "|  | theirs | 34.6 published<sup>2</sup> | 504 published<sup>2</sup> | - |\n"
        "| any | RTL simulation | not measured | | |\n"
        "| any | HLS | not measured | | |\n"
        "| any | GPU | not measured | | |\n"
        "| any | near memory | not measured | | |\n"
        "\n"
        "1. s1\n"
        "2. s2\n"
    )


def test_a_machine_with_records_is_no_longer_awaited() -> None:
    entries = [entry("NVIDIA H100, bf16 ours, batch 1"), entry("rtl"), entry("hls csim")]
    text = render(rows_of(entries))
    assert "| any | near memory |" in text
    for title in ("RTL simulation", "HLS", "GPU"):
        assert f"| any | {title} |" not in text


def test_a_published_gpu_does_not_stand_in_for_ours() -> None:
    text = render(rows_of([entry("V100S, cuda", evidence=Evidence.PUBLISHED)]))
    assert "| any | GPU | not measured |" in text


def test_reasons_stand_under_the_table() -> None:
    other = Workload(model="tiny", tokens=197, macs=1)
    assert "tokens 197 and 129" in render(rows_of([entry("A"), entry("B", other)]))
