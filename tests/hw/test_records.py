import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.records import (
    ALWAYS,
    FIGURES,
    Evidence,
    Figure,
    RecordError,
    ResultRecord,
    figure,
)

COUNT = st.integers(0, 2**63)
NUMBER = st.floats(0, 1e12)
BY_NAME = st.dictionaries(st.text(min_size=1), NUMBER)
VALUES = {
    "tokens": COUNT,
    "macs": COUNT,
    "cycles": COUNT,
    "clock_mhz": NUMBER,
    "latency_ms": NUMBER,
    "dram_bytes": COUNT,
    "experts_used": st.lists(st.integers(0, 256)),
    "experts_fetched": COUNT,
    "dram_bytes_by_kind": BY_NAME,
    "memory_bytes": COUNT,
    "energy_mj": NUMBER,
    "utilisation": BY_NAME,
    "phases_ms": BY_NAME,
    "saturations": COUNT,
    "resources": BY_NAME,
}


@st.composite
def records(draw: st.DrawFn) -> ResultRecord:
    names = draw(st.lists(st.sampled_from(sorted(FIGURES)), unique=True))
    source = st.text(min_size=1)
    return ResultRecord(
        model=draw(st.text(min_size=1)),
        task=draw(st.text(min_size=1)),
        device="reference",
        digest=draw(st.text()),
        figures={
            name: figure(
                name, draw(VALUES[name]), draw(st.sampled_from(list(Evidence))), draw(source)
            )
            for name in names
        },
    )


def _record(**figures: Figure) -> ResultRecord:
    return ResultRecord(model="nano-scenes", task="depth", device="reference", figures=figures)


def _edited(**changes: object) -> str:
    values = _record(cycles=figure("cycles", 5, Evidence.RTL)).to_dict()
    return json.dumps({**values, **changes})


def test_every_figure_is_generated() -> None:
    assert set(VALUES) == set(FIGURES)


@given(records())
def test_json_round_trip(record: ResultRecord) -> None:
    text = record.to_json()
    assert "\n" not in text
    assert ResultRecord.from_json(text) == record


def test_the_keys_of_the_record() -> None:
    values = _record(cycles=figure("cycles", 5, Evidence.MODELLED, "cost model")).to_dict()
    for key in ("task", "device", "digest", "evidence", *ALWAYS):
        assert key in values
    assert values["cycles"] == 5
    assert values["tokens"] is None
    assert values["evidence"] == {"cycles": "modelled"}
    assert values["sources"] == {"cycles": "cost model"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[1]", "format"),
        (_edited(format="m3vit-record-0"), "format"),
        (_edited(evidence={"cycles": "guessed"}), "'guessed'"),
        (_edited(evidence={}), r"no evidence for \['cycles'\]"),
        (_edited(evidence={"cycles": "rtl", "tokens": "rtl"}), r"names \['tokens'\]"),
        (_edited(evidence=None), "evidence is None"),
        (_edited(sources={"macs": "x"}), r"names \['macs'\]"),
        (_edited(speed=3), r"unknown \['speed'\]"),
        (_edited(cycles=-5), "cycles is -5"),
        (_edited(cycles=5.5), "cycles is 5.5"),
        (_edited(cycles=True), "cycles is True"),
        (_edited(task=7), "task is 7"),
        (_edited(task=""), "task is empty"),
    ],
)
def test_refuses_what_is_not_a_record(text: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        ResultRecord.from_json(text)


def test_refuses_a_missing_key() -> None:
    values = _record().to_dict()
    del values["device"]
    with pytest.raises(RecordError, match=r"missing \['device'\]"):
        ResultRecord.from_json(json.dumps(values))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "3", None])
def test_refuses_values_that_are_no_number(value: object) -> None:
    with pytest.raises(RecordError, match="latency_ms"):
        figure("latency_ms", value, Evidence.MEASURED)


def test_published_figures_need_a_source() -> None:
    with pytest.raises(RecordError, match="without a source"):
        figure("latency_ms", 34.64, Evidence.PUBLISHED)
    assert figure("latency_ms", 34.64, Evidence.PUBLISHED, "Edge-MoE, table V").unit == "ms"


def test_unknown_figures_are_refused() -> None:
    with pytest.raises(RecordError, match="unknown figure 'speed'"):
        _record(speed=Figure(value=3, unit="x", evidence=Evidence.RTL))
