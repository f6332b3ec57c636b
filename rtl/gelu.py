"""GELU by two loadable tables of 256 entries, golden ``gelu``."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from m3vit.rtl.library import lanes, shared
from m3vit.rtl.memory import Memory

ENTRIES = 512
"""Class 0, then class 1."""


_MODEL = """\
module {name}(clk, rst, x, kind, y, we, wa, wd);
  input clk, rst, we;
  input [{top}:0] x;
  input [{kinds}:0] kind;
  input [8:0] wa;
  input [7:0] wd;
  output reg [{top}:0] y;
  reg [7:0] entries [511:0];
  initial y = 0;
  always @(posedge clk) begin
    if (we) entries[wa] <= wd;
    else y[{middle}:0] <= {{ {first} }};
    y[{top}:{middle}+1] <= {{ {second} }};
  end
endmodule
"""


class GeluLane(Component):
    """``y`` = table[class][x + 128] for both members of a pair, which read a block RAM through its
    two ports; ``we``, ``wa``, ``wd`` load an entry, and nothing is looked up meanwhile.

    Latency: 1 cycle.
    """

    LATENCY = 1

    def __init__(self) -> None:
        self.module_name = "gelu_lane"
        super().__init__(
            {
                "x": In(16),
                "kind": In(1),
                "y": Out(16),
                "we": In(1),
                "wa": In(9),
                "wd": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """x + 128 is x with its top bit inverted."""
        m = Module()
        m.submodules.table = table = Memory(
            depth=ENTRIES, width=8, style="block", readers=2, shared=True
        )
        first, second = (Cat(x[:7], ~x[7], self.kind) for x in lanes(self.x, 8))
        m.d.comb += [
            table.we.eq(self.we),
            table.wd.eq(self.wd),
            table.ra0.eq(Mux(self.we, self.wa, first)),
            table.ra1.eq(second),
            self.y.eq(Cat(table.rd0, table.rd1)),
        ]
        return m


class Gelu(Component):
    """A group's 2 x C hidden values a cycle.

    Ports: ``x`` int8 [2][C], ``kind`` one class bit a column, ``y`` int8 [2][C]; ``we``, ``wa``
    (class * 256 + index), ``wd`` load one entry of all lanes' tables.

    Latency: 1 cycle.
    """

    LATENCY = GeluLane.LATENCY

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.module_name = f"gelu_c{columns}"
        super().__init__(
            {
                "x": In(16 * columns),
                "kind": In(columns),
                "y": Out(16 * columns),
                "we": In(1),
                "wa": In(9),
                "wd": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One table a column: the columns look up side by side."""
        m = Module()
        load = {"we": self.we, "wa": self.wa, "wd": self.wd}
        x, y = lanes(self.x, 8), lanes(self.y, 8)
        for lane in range(self.columns):
            other, both = lane + self.columns, Signal(16, name=f"y{lane}")
            m.submodules[f"lane{lane}"] = shared(
                GeluLane(), x=Cat(x[lane], x[other]), kind=self.kind[lane], y=both, **load
            )
            m.d.comb += [y[lane].eq(both[:8]), y[other].eq(both[8:])]
        return m

    @property
    def model(self) -> str:
        """The module for simulation (see ``library.convert``): one table, as all hold the same."""
        columns = self.columns
        reads = [
            f"entries[{{kind[{lane % columns}], ~x[{8 * lane + 7}], x[{8 * lane} +: 7]}}]"
            for lane in range(2 * columns)
        ]
        return _MODEL.format(
            name=self.module_name,
            top=16 * columns - 1,
            middle=8 * columns - 1,
            kinds=columns - 1,
            first=", ".join(reversed(reads[:columns])),
            second=", ".join(reversed(reads[columns:])),
        )
