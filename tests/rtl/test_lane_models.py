"""Models of lane blocks for simulation equal the converted modules in every cycle."""

from typing import Any

import cocotb
import pytest
from amaranth.lib.wiring import Component
from cocotb.triggers import ClockCycles, ReadOnly

from m3vit.rtl.gelu import Gelu
from m3vit.rtl.library import convert
from m3vit.rtl.requantise import Requantise
from m3vit.rtl.scores import Scores
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import bench_settings, run_text, verilator_only

CYCLES = 20_000
_BENCH = """
module dut(input clk, input rst, output reg [31:0] wrong, output reg [31:0] moved);
  reg [{bits}:0] operands, extremes;
  wire [{s}:0] y, expected;
  reg [{s}:0] last;
  {model} model(.clk(clk), .rst(rst), {ports}, .y(y));
  rtl rtl(.clk(clk), .rst(rst), {ports}, .y(expected));
  integer k;
  initial begin wrong = 0; moved = 0; end
  always @(posedge clk) begin
    for (k = 0; k <= {bits}; k = k + 1) begin
      extremes[k] = k == 0 || $urandom % 9 == 0 ? $urandom : extremes[k - 1];
      operands[k] <= $urandom % 8 != 0 ? extremes[k] : $urandom;
    end
    last <= y;
    if (y !== expected) wrong <= wrong + 1;
    if (y != last) moved <= moved + 1;
  end
endmodule
"""
"""Runs of equal bits make numbers of all sizes, saturated ones too."""


@cocotb.test()
async def equal(dut: Any) -> None:
    cycles = bench_settings()["cycles"]
    await start(dut)
    await ClockCycles(dut.clk, cycles)
    await ReadOnly()
    assert int(dut.wrong.value) == 0
    assert int(dut.moved.value) > cycles * 0.9, "the results do not look alive"


@verilator_only("the models are read by Verilator only")
@pytest.mark.parametrize("block", [Requantise(3), Scores(5), Gelu(2)], ids=lambda b: b.module_name)
def test_model_equals_the_converted_module(block: Component) -> None:
    at, ports = 0, []
    for name, member in block.signature.members.items():
        if member.flow.name == "In":
            ports.append(f".{name}(operands[{at} +: {len(getattr(block, name))}])")
            at += len(getattr(block, name))
    bench = _BENCH.format(
        bits=at - 1,
        s=len(block.y) - 1,
        model=block.module_name,
        ports=", ".join(ports),
    )
    text = "\n".join([convert(block, "rtl").text, block.model, bench])
    run_text(text, __name__, ("equal",), cycles=CYCLES)
