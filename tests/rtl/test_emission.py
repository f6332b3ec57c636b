"""Quick emission of empty memories changes no character of the Verilog."""

from amaranth.back import verilog

from m3vit.rtl.emission import quick_memories
from m3vit.rtl.memory import Memory


def _text(contents: tuple[int, ...]) -> str:
    block = Memory(depth=33, width=17, style="block", contents=contents)
    return verilog.convert(block, name="dut", emit_src=False)


def test_text_is_the_same_with_and_without() -> None:
    for contents in ((), (0, 0, 0), (1, 2, 3)):
        slow = _text(contents)
        with quick_memories():
            assert _text(contents) == slow
        assert _text(contents) == slow, "the emitter was not put back"
