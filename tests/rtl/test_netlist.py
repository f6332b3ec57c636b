"""Counting of mapped netlists on hand-made ones."""

from typing import Any

from m3vit.rtl.netlist import Size, read_netlist


def cell(kind: str, outputs: str = "O", **ports: int | list[int]) -> dict[str, Any]:
    """A cell of a netlist; ``outputs`` names its output ports."""
    wires = {name: bits if isinstance(bits, list) else [bits] for name, bits in ports.items()}
    ways = {name: "output" if name in outputs.split() else "input" for name in wires}
    return {"type": kind, "connections": wires, "port_directions": ways}


def module(*cells: dict[str, Any], **ports: tuple[str, list[int]]) -> dict[str, Any]:
    """A module of a netlist; ``ports``: direction and bits."""
    return {
        "cells": {f"c{index}": each for index, each in enumerate(cells)},
        "ports": {name: {"direction": way, "bits": bits} for name, (way, bits) in ports.items()},
        "netnames": {},
    }


def test_counts_memories_by_the_luts_they_take() -> None:
    kinds = ["LUT6", "LUT2", "RAM64M8", "SRL16E", "FDRE", "DSP48E2", "RAMB18E2", "URAM288", "INV"]
    found = read_netlist(module(*(cell(k, O=n) for n, k in enumerate(kinds, 10))))
    assert found.size == Size(lut=11, lutram=9, ff=1, dsp=1, bram36=0.5, uram=1)
    assert found.children == []


def test_what_is_no_primitive_is_a_child() -> None:
    found = read_netlist(module(cell("lane", x=3, O=4), cell("VCC", P=5), cell("$scopeinfo")))
    assert found.children == [("c0", "lane", {"x": [3], "O": [4]})]
    assert found.size == Size() and found.gates == [] and found.ends == []


def test_clocks_end_no_path() -> None:
    assert read_netlist(module(cell("FDRE", "Q", C=1, D=2, CE=3, Q=4))).ends == [2, 3]


def test_only_read_addresses_pass_through_memory() -> None:
    ram = cell("RAM64X1D", "DPO SPO", WCLK=1, WE=2, D=3, A=[4, 5], DPRA=[6, 7], DPO=8, SPO=9)
    found = read_netlist(module(ram))
    assert found.ends == [2, 3]
    assert found.gates == [("lut", [4, 5, 6, 7], 8), ("lut", [4, 5, 6, 7], 9)]


def test_a_carry_output_depends_on_the_places_below() -> None:
    wires = {"CI": 1, "CYINIT": 2, "S": [3, 4], "DI": [5, 6], "O": [7, 8], "CO": [9, 10]}
    found = read_netlist(module(cell("CARRY4", "O CO", **wires)))
    inputs = {output: sorted(bits) for kind, bits, output in found.gates if kind == "carry"}
    assert inputs == {
        7: [1, 2, 3],
        9: [1, 2, 3, 5],
        8: [1, 2, 3, 4, 5],
        10: [1, 2, 3, 4, 5, 6],
    }


def test_sums_count_everything() -> None:
    one = Size(lut=5, lutram=1, ff=2, dsp=3, bram36=0.5, uram=4)
    assert one.plus(one) == Size(lut=10, lutram=2, ff=4, dsp=6, bram36=1.0, uram=8)
