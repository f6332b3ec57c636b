"""Conversion: reproducible text, shared blocks once, refusals."""

import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.hw.errors import ConfigurationError
from m3vit.rtl.dsp48e2 import PRODUCT, dsp48e2
from m3vit.rtl.group import Group
from m3vit.rtl.library import convert, lanes, shared
from m3vit.rtl.memory import Memory


def test_columns_are_written_once_and_the_text_repeats() -> None:
    design = convert(Group(rows=8, columns=4), "group")
    assert design.text == convert(Group(rows=8, columns=4), "group").text
    assert design.text.count("module column_r8(") == 1
    assert design.text.count("column_r8 column") == 4
    assert "src =" not in design.text


class _Wrong(Component):
    x: In(1)
    y: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        block = Group(rows=8, columns=1)
        m.submodules += shared(block, a0=Signal(64))
        return m


def test_missing_ports_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"group_r8_c1: ports \['a1', 'load'"):
        convert(_Wrong(), "wrong")


def test_operand_widths_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="DSP48E2 input A has 8 bits, expected 30"):
        dsp48e2(opmode=PRODUCT, A=Const(0, 8))
    with pytest.raises(ConfigurationError, match="vector has 10 bits, expected a multiple of 4"):
        lanes(Signal(10), 4)


def test_memories_without_contents_have_no_initial_block() -> None:
    assert "initial begin" not in convert(Memory(depth=64, width=9, style="ultra"), "dut").text
    filled = convert(Memory(depth=4, width=9, style="block", contents=(1, 2, 3, 4)), "dut")
    assert "store[3] = 9'h004" in filled.text
    with pytest.raises(ConfigurationError, match="memory: style must be one of"):
        Memory(depth=4, width=9, style="flash")
