"""The benchmark measures both on the same network; its limits are those asked for."""

import json

import pytest

from m3vit.host.cli import main
from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.records import Evidence, ResultRecord
from m3vit.model.benchmark import LIMIT_MS, Speed, measure_config
from m3vit.model.benchmark_text import render
from tests.support.packages import MICRO


@pytest.fixture(scope="module")
def speed() -> Speed:
    """Of the micro network."""
    return measure_config(MICRO, 3, lambda text: None)


def test_both_were_measured(speed: Speed) -> None:
    assert speed.reference_ms > 0 and speed.float32_ms > 0
    assert speed.ratio == speed.reference_ms / speed.float32_ms
    assert speed.macs == encoder_macs(MICRO)
    # A run holds at least its residual and result; the process holds PyTorch.
    assert 6e-6 * MICRO.tokens * MICRO.width < speed.run_megabytes < speed.process_megabytes


def test_records_are_measured_times(speed: Speed) -> None:
    found = json.loads(json.dumps(speed.to_dict()))
    records = [ResultRecord.from_json(json.dumps(record)) for record in found["records"]]
    assert [record.device for record in records] == ["reference", "torch-float32"]
    assert all(r.figures["latency_ms"].evidence is Evidence.MEASURED for r in records)
    assert records[0].value("latency_ms") == speed.reference_ms


def test_table_says_whether_the_limit_is_met() -> None:
    def row(milliseconds: float) -> str:
        speed = Speed(
            model="tiny-cityscapes",
            threads=2,
            repeats=5,
            reference_ms=milliseconds,
            float32_ms=100.0,
            run_megabytes=1.0,
            process_megabytes=2.0,
            macs=1,
        )
        return render([speed]).splitlines()[2]

    assert "500 met" in row(500.0) and "500 missed" in row(500.1)
    assert LIMIT_MS == {"tiny-cityscapes": 500.0, "small-pascal": 20_000.0}


@pytest.mark.parametrize("repeats", ["0", "-1"])
def test_repeats_are_checked(repeats: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--repeats", repeats]) == 2
    assert "expected at least 1" in capsys.readouterr().err


def test_verb_prints_one_object_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--model", "nano-scenes", "--repeats", "1", "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["model"] == "nano-scenes"
