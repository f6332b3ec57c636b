"""Modules of lane blocks for simulation: one C++ loop instead of the lanes' logic bit by bit."""

from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_name("lane_models.cpp")

_TEXT = """\
module {name}(clk, rst, {names});
  import "DPI-C" function chandle {name}_new();
  import "DPI-C" function void {name}_step(input chandle model, {formal});
  input clk, rst;
{ports}
  bit [{top}:0] next;
  chandle model;
  initial begin
    model = {name}_new();
    {output} = 0;
  end
  always @(posedge clk) begin
    {name}_step(model, {inputs}, next);
    {output} <= next;
  end
`systemc_implementation
{source}
#ifndef M3VIT_{name}
#define M3VIT_{name}
extern "C" void *{name}_new() {{ return new m3vit::{model}; }}
extern "C" void {name}_step(void *model, {arguments}, svBitVecVal *{output}) {{
  static_cast<m3vit::{model} *>(model)->step({values}, {output});
}}
#endif
`verilog
endmodule
"""

WORD = 32

_VECTORS = ("acc", "factor", "row_factor")
"""Ports that stay vectors of lanes however narrow they are."""


def lane_model(
    *, name: str, model: str, inputs: Mapping[str, int], output: str, output_bits: int
) -> str:
    """Verilog with C++ of the module ``name``.

    Args:
        name: of the module.
        model: class of ``lane_models.cpp``; its ``step`` takes the inputs in their order, those of
            up to 32 bits as a number, one bit as a truth value.
        inputs: bits of the ports.
        output: the port that the model fills.
        output_bits: its width.
    """

    def formal(port: str, bits: int, way: str) -> str:
        return f"{way} bit {port}" if bits == 1 else f"{way} bit [{bits - 1}:0] {port}"

    def argument(port: str, bits: int) -> str:
        return f"svBit {port}" if bits == 1 else f"const svBitVecVal *{port}"

    def value(port: str, bits: int) -> str:
        return f"{port}[0]" if 1 < bits <= WORD and port not in _VECTORS else port

    ports = [f"  input [{bits - 1}:0] {port};" for port, bits in inputs.items()]
    ports.append(f"  output reg [{output_bits - 1}:0] {output};")
    formals = [formal(port, bits, "input") for port, bits in inputs.items()]
    return _TEXT.format(
        name=name,
        model=model,
        names=", ".join([*inputs, output]),
        formal=", ".join([*formals, formal(output, output_bits, "output")]),
        ports="\n".join(ports),
        top=output_bits - 1,
        output=output,
        inputs=", ".join(inputs),
        arguments=", ".join(argument(port, bits) for port, bits in inputs.items()),
        values=", ".join(value(port, bits) for port, bits in inputs.items()),
        source=SOURCE.read_text(),
    )
