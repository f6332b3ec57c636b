"""The group's model for simulation equals the converted module in every cycle."""

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, ReadOnly

from m3vit.rtl.group import Group
from m3vit.rtl.library import convert
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import bench_settings, run_text, verilator_only

CYCLES = 3000
_BENCH = """
module dut(input clk, input rst, output reg [31:0] wrong, output reg [31:0] moved);
  reg [{a}:0] a1, a0; reg [{w}:0] w; reg [7:0] load; reg swap, pause;
  wire [{s}:0] s, expected;
  reg [{s}:0] last;
  {model} model(.clk(clk), .rst(rst | pause), .a1(a1), .a0(a0), .w(w), .load(load), .swap(swap),
    .s(s));
  group rtl(.clk(clk), .rst(rst | pause), .a1(a1), .a0(a0), .w(w), .load(load), .swap(swap),
    .s(expected));
  integer k;
  initial begin wrong = 0; moved = 0; end
  always @(posedge clk) begin
    for (k = 0; k < {rows}; k = k + 1) begin
      a1[8*k +: 8] <= $urandom % 5 == 0 ? 8'h80 : $urandom;
      a0[8*k +: 8] <= $urandom % 5 == 0 ? 8'h7f : $urandom;
    end
    for (k = 0; k < {weights}; k = k + 1) w[8*k +: 8] <= $urandom % 5 == 0 ? 8'h80 : $urandom;
    load <= $urandom % 2 == 0 ? 8'd1 << ($urandom % 8) : $urandom % 3 == 0 ? $urandom : 0;
    swap <= $urandom % 6 == 0;
    pause <= $urandom % 50 == 0;
    last <= s;
    if (s !== expected) wrong <= wrong + 1;
    if (s != last) moved <= moved + 1;
  end
endmodule
"""


@cocotb.test()
async def equal(dut: Any) -> None:
    cycles = bench_settings()["cycles"]
    await start(dut)
    await ClockCycles(dut.clk, cycles)
    await ReadOnly()
    assert int(dut.wrong.value) == 0
    assert int(dut.moved.value) > cycles * 0.9, "the operands do not look alive"


@verilator_only("the models are read by Verilator only")
@pytest.mark.parametrize(("rows", "columns"), [(8, 3), (16, 2), (32, 4)])
def test_model_equals_the_converted_module(rows: int, columns: int) -> None:
    group = Group(rows=rows, columns=columns)
    bench = _BENCH.format(
        a=8 * rows - 1,
        w=len(group.w) - 1,
        s=len(group.s) - 1,
        rows=rows,
        weights=len(group.w) // 8,
        model=group.module_name,
    )
    text = "\n".join([convert(group, "group").text, group.model, bench])
    run_text(text, __name__, ("equal",), cycles=CYCLES)
