"""The group's module for simulation: the same ports, registers of all DSPs in one C++ object.

The multipliers of a large array are most of what a simulator has to evaluate.  The text takes the
place of the converted module and is Verilator's: C++ stands inside it.
"""

from pathlib import Path

from m3vit.hw.machine import CASCADE

SOURCE = Path(__file__).with_name("group_model.cpp")

_TEXT = """\
module {name}(a1, a0, swap, load, w, clk, rst, s);
  import "DPI-C" function chandle {name}_new();
  import "DPI-C" function void {name}_step(
    input chandle model, input bit rst, input bit [{a_top}:0] a1, input bit [{a_top}:0] a0,
    input bit swap, input bit [7:0] load, input bit [{w_top}:0] w, output bit [{s_top}:0] s);
  input clk, rst, swap;
  input [7:0] load;
  input [{a_top}:0] a1, a0;
  input [{w_top}:0] w;
  output reg [{s_top}:0] s;
  bit [{s_top}:0] next;
  chandle model;
  initial begin
    model = {name}_new();
    s = {s_bits}'h{first:x};
  end
  always @(posedge clk) begin
    {name}_step(model, rst, a1, a0, swap, load, w, next);
    s <= next;
  end
`systemc_implementation
{source}
#ifndef M3VIT_{name}
#define M3VIT_{name}
using {name}_model = m3vit::GroupModel<{rows}, {columns}>;
extern "C" void *{name}_new() {{ return new {name}_model; }}
extern "C" void {name}_step(void *model, svBit rst, const svBitVecVal *a1, const svBitVecVal *a0,
                            svBit swap, const svBitVecVal *load, const svBitVecVal *w,
                            svBitVecVal *s) {{
  static_cast<{name}_model *>(model)->step(rst, a1, a0, swap, load[0] & 255, w, s);
}}
#endif
`verilog
endmodule
"""


def group_model(*, name: str, rows: int, columns: int, weight_bits: int, sum_bits: int) -> str:
    """Verilog with C++ of the module ``name``; ``weight_bits`` and ``sum_bits`` of its ports."""
    return _TEXT.format(
        name=name,
        rows=rows,
        columns=columns,
        a_top=8 * rows - 1,
        w_top=weight_bits - 1,
        s_top=sum_bits - 1,
        s_bits=sum_bits,
        first=_first(columns, sum_bits) if rows == CASCADE else 0,
        source=SOURCE.read_text(),
    )


def _first(columns: int, sum_bits: int) -> int:
    """Sums before the first clock edge where no register follows the cascade: its low field is 0,
    which stands for -2^17."""
    width = sum_bits // (2 * columns)
    return sum(1 << (width * column + width - 1) for column in range(columns))
