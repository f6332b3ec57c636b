"""Plots appear where there are figures for them, and are the same bytes each time."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from m3vit.host.compare.plots import draw_all, write_plots
from m3vit.host.compare.reading import committed_routing, gather
from m3vit.host.compare.rows import rows_of
from m3vit.hw.machine import machine_preset
from tests.host.compare.entries import entry

ZCU104 = machine_preset("zcu104")
ALL = ("latency", "energy", "memory", "dram", "layers", "roofline", "expert_load")


def test_committed_records_give_every_plot(tmp_path: Path) -> None:
    paths = write_plots(tmp_path, rows_of(gather([], True)), committed_routing(), ZCU104)
    assert {path.name for path in paths} == {f"{n}.{k}" for n in ALL for k in ("png", "svg")}
    assert (tmp_path / "latency.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "layers.svg").read_bytes()


def test_plots_are_reproducible_and_only_of_what_is_there() -> None:
    rows = rows_of([entry("A", latency_ms=1.0), entry("B", latency_ms=2.0)])
    first = draw_all(rows, [], ZCU104)
    assert set(first) == {"latency.png", "latency.svg"}
    assert first == draw_all(rows, [], ZCU104)


def test_without_latency_an_entry_has_no_place_under_the_roof() -> None:
    rows = rows_of([entry("A", dram_bytes=5), entry("B", latency_ms=2.0)])
    assert "roofline.png" not in draw_all(rows, [], ZCU104)
