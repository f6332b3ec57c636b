"""Cutting Verilog at blocks, on a small text and on a block's own."""

import pytest

from m3vit.hw.errors import ToolError
from m3vit.rtl.hierarchy import cut
from m3vit.rtl.library import convert
from m3vit.rtl.residual import ResidualAdd

TEXT = """\
module lane(x, y);
  input x;
  wire x;
  output y;
  reg y;
  assign y = x;
endmodule
(* src = "here" *)
module \\top.store (x, \\port$7$0 );
  input x;
  output \\port$7$0 ;
  lane inner (
    .x(x),
    .y(\\port$7$0 )
  );
endmodule
module top(a);
  input a;
  (* src = "there" *)
  \\top.store  store (
    .x(a),
    .\\port$7$0 (\\port$7$0 )
  );
  DSP48E2 #(
    .A(1)
  ) dsp (
    .X(a)
  );
endmodule
"""


def test_a_block_leaves_its_parent_as_a_stub() -> None:
    pieces = cut(TEXT, "top", lambda name: name == "lane")
    assert list(pieces) == ["top", "lane"]
    assert "module \\top.store" in pieces["top"].text and "module lane" not in pieces["top"].text
    stub = pieces["top"].stubs
    assert "module lane(x, y);\n  input x;\n  output y;\nendmodule" in stub
    assert pieces["lane"].stubs == ""


def test_all_modules_are_in_exactly_one_piece() -> None:
    for blocks in (set(), {"lane"}, {"top.store"}, {"lane", "top.store"}):
        pieces = cut(TEXT, "top", blocks.__contains__)
        texts = [piece.text for piece in pieces.values()]
        for name in ("module lane(", "module \\top.store ", "module top("):
            assert sum(text.count(name) for text in texts) == 1


def test_numbers_of_names_leave_the_digest_as_it_is() -> None:
    first = cut(TEXT, "top", lambda name: False)["top"]
    assert (
        cut(TEXT.replace("$7$0", "$12$8"), "top", lambda name: False)["top"].digest == first.digest
    )
    changed = TEXT.replace("assign y = x", "assign y = ~x")
    assert cut(changed, "top", lambda name: False)["top"].digest != first.digest


def test_an_absent_top_is_told() -> None:
    with pytest.raises(ToolError, match="no module machine"):
        cut(TEXT, "machine", lambda name: False)


def test_the_text_of_a_real_block_is_found_whole() -> None:
    design = convert(ResidualAdd(2), "residual_top")
    pieces = cut(design.text, "residual_top", lambda name: True)
    assert set(pieces) == {
        line.split("(")[0].split()[1].lstrip("\\")
        for line in design.text.splitlines()
        if line.startswith("module ")
    }
