"""The README's sentence of counted cycles, and what of it stays without a profile."""

from pathlib import Path

import pytest

from m3vit.hls import readme
from m3vit.hls.comparison import KERNEL
from m3vit.hls.counted_text import counted_sums, read_counted, sentence
from m3vit.hls.estimate_table import preset_rows
from m3vit.hls.rtl_profile import RtlProfileError, read_rtl_profile
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset
from tests.hls.rtl_profiles import profile_of, written

ZCU104 = machine_preset("zcu104")


def test_sums_by_kind_and_back(tmp_path: Path) -> None:
    path = written(tmp_path / "p.json", profile_of(model_preset("nano-scenes"), ZCU104, 90))
    rows = preset_rows("nano-scenes", "zcu104", KERNEL, read_rtl_profile(path))
    counted = counted_sums(rows)
    assert counted == [
        sum(row.rtl_cycles or 0 for row in rows if row.layer.endswith(kind))
        for kind in (".mlp", ".moe")
    ]
    text = sentence(rows, counted)
    assert read_counted(text) == counted
    both = sum(row.cycles for row in rows), sum(row.rtl_model_cycles for row in rows)
    assert text.endswith(f"together {both[0]:,}, {both[1]:,} and {sum(counted):,} `rtl`.")
    assert counted_sums(preset_rows("nano-scenes", "zcu104", KERNEL)) is None


@pytest.mark.parametrize("text", ["", "1 `rtl`", "1 `rtl`; 2 `rtl`; 4 `rtl`", "1 `modelled`"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--write --rtl"):
        read_counted(text)


def test_counted_cycles_stay_without_a_profile_and_go_with_one(tmp_path: Path) -> None:
    text = readme.README.read_text()
    assert readme.updated(text) == text, "stale: `m3vit hls table --write`"
    config = model_preset(readme.MODEL)
    path = written(tmp_path / "p.json", profile_of(config, ZCU104))
    changed = readme.updated(text, read_rtl_profile(path))
    assert changed != text and readme.updated(changed) == changed
    other = written(tmp_path / "q.json", profile_of(model_preset("tiny-224"), ZCU104))
    with pytest.raises(RtlProfileError, match="expected 'small-pascal'"):
        readme.updated(text, read_rtl_profile(other))


@pytest.mark.parametrize("part", [readme.COMPARISON, readme.COUNTED])
def test_missing_markers_are_named(part: str) -> None:
    text = readme.README.read_text().replace(f"<!-- {part}: end -->", "")
    with pytest.raises(ConfigurationError, match=f"markers of its part {part}"):
        readme.updated(text)
