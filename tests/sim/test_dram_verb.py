"""``m3vit dram`` as a user meets it: records, plots, and one line for every mistake."""

import json
from pathlib import Path

import pytest

from m3vit.host.cli import main


def _trace(tmp_path: Path, text: str) -> str:
    path = tmp_path / "run.trace"
    path.write_text(text)
    return str(path)


def test_record_of_a_trace_file(tmp_path: Path, capsys) -> None:
    trace = _trace(tmp_path, "# two rows\nR 0x0\nW 64  # joined later\nLD 0x100000 50\n\n")
    assert main(["dram", trace, "--memory", "ddr4-2400", "--mapping", "BgBaCoRo", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["requests"], record["mapping"], record["read_queue"]) == (3, "BgBaCoRo", 32)
    assert record["commands"]["RD"] == 2 and record["commands"]["WR"] == 1
    assert record["evidence"] == "simulated" and record["energy_nj"]["total"] > 0


def test_text_and_several_channels(capsys) -> None:
    assert main(["dram", "stream:65536", "--memory", "hbm2-2000", "--channels", "2"]) == 0
    text = capsys.readouterr().out
    assert text.count("hbm2-2000, RoBaRaCoCh") == 2 and "of 32.0 GB/s" in text


def test_curve_is_drawn(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("m3vit.sim.dram.curve.LOADS", (0.1, 1.0))
    path = tmp_path / "curve.png"
    assert main(["dram", "random:1", "--curve", str(path), "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    assert path.read_bytes()[:4] == b"\x89PNG"
    low, high = (runs[i]["read_latency_ns"]["mean"] for i in (0, -1))
    assert low < high


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["R 0\nX 5\n"], "line 2: got 'X 5'"),
        (["R 0\nR 0 1 2\n"], "line 2"),
        (["R -64\n"], "out of range"),
        (["R zero\n"], "line 1"),
        (["\n# nothing\n"], "holds no request"),
        (["R 0\n", "--memory", "ddr5"], "known are ddr4-2400"),
        (["R 0\n", "--mapping", "RoRo"], "known are RoBaRaCoCh"),
        (["R 0\n", "--scheduler", "fifo"], "frfcfs-rowhit, frfcfs"),
        (["R 0\n", "--page", "ajar"], "open, closed"),
        (["R 0\n", "--refresh", "never"], "none, all-bank, per-bank, paired"),
        (["R 0\n", "--queue", "0"], "1 or more"),
        (["R 0\n", "--channels", "0"], "1 or more"),
    ],
)
def test_mistakes_are_one_line_and_exit_two(
    tmp_path: Path, capsys, arguments: list[str], message: str
) -> None:
    assert main(["dram", _trace(tmp_path, arguments[0]), *arguments[1:]]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_missing_trace_and_bad_size(capsys) -> None:
    assert main(["dram", "nowhere.trace"]) == 2
    assert main(["dram", "stream:-5"]) == 2
    assert "positive whole number" in capsys.readouterr().err
