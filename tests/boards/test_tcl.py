import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.boards.tcl import command, listing, pairs, word
from tests.boards.vivado import needs_tcl

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


def _read_back(script: str) -> list[str]:
    done = subprocess.run(["tclsh"], input=script, capture_output=True, text=True, timeout=20)
    assert not done.stderr, done.stderr
    return done.stdout.split("\n")[:-1]


@needs_tcl
@settings(max_examples=25, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_the_interpreter_reads_back_what_was_meant(values: list[str]) -> None:
    script = f"{command('set', 'x', 'y')}\nforeach v {listing(values)} {{puts $v}}\n"
    assert _read_back(script) == values
    single = "".join(f"puts {word(value)}\n" for value in values)
    assert _read_back(single) == values


def test_plain_words_stay_plain() -> None:
    assert command("set_property", "top", "m3vit") == "set_property top m3vit"
    assert pairs({"a": 1, "b c": "d"}) == "{a 1 {b c} d}"
