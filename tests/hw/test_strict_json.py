"""JSON with one meaning: equal to the standard reader where that is unambiguous."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3vit.hw.strict_json import loads

NUMBERS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    NUMBERS | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@settings(max_examples=40)
@given(VALUES)
def test_round_trip(value: object) -> None:
    assert loads(json.dumps(value)) == value


@given(st.text())
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    try:
        value = loads(text)
    except ValueError:
        return
    assert value == json.loads(text)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 1}', '[{"": 0, "": 0}]', "NaN", "[1e400]", "-Infinity"]
)
def test_ambiguous_text_is_refused(text: str) -> None:
    json.loads(text)
    with pytest.raises(ValueError):
        loads(text)


def test_depth_is_limited() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        loads("[" * 200_000)
