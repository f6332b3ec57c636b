import json
from pathlib import Path

import pytest

from m3vit.hls.project import MEMORY
from m3vit.host.cli import main
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset
from m3vit.hw.records import Evidence, ResultRecord
from tests.hls.rtl_profiles import profile_of, written
from tests.hls.test_csynth import reports
from tests.support.packages import compiled


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verb") / "package"
    compiled(path)
    return path


def test_csim_of_a_package_equals_its_record(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["hls", "csim", "--package", str(package), "--out", str(tmp_path)]
    assert main([*arguments, "--layer", "block0.mlp", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    # the sample, two variants and the sample again; normalised and out of 9 tokens x 32
    assert said["equal"] and said["calls"] == 4 and said["integers"] == 4 * 2 * 9 * 32


@pytest.mark.slow
def test_csim_of_every_layer(package: Path, tmp_path: Path) -> None:
    assert main(["hls", "csim", "--package", str(package), "--out", str(tmp_path)]) == 0


def test_generate_then_report(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "gate"
    arguments = ["hls", "generate", "--package", str(package), "--layer", "block1.gate"]
    assert main([*arguments, "--out", str(project)]) == 0
    assert "m3vit_gate for xczu7ev-ffvc1156-2-e" in capsys.readouterr().out
    assert (project / MEMORY).read_bytes().startswith((package / "weights.bin").read_bytes())
    assert "set_top m3vit_gate" in (project / "synth.tcl").read_text()
    reports(project)
    assert main(["hls", "report", str(project), "--json"]) == 0
    record = ResultRecord.from_json(capsys.readouterr().out)
    assert record.model == "block1.gate" and record.value("tokens") == 9
    assert main(["hls", "report", str(project)]) == 0
    assert "BRAM_18K" in capsys.readouterr().out


def test_synth_without_vitis_is_one_line_and_2(
    package: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = tmp_path / "moe"
    arguments = ["hls", "generate", "--package", str(package), "--layer", "block1.moe"]
    assert main([*arguments, "--out", str(project)]) == 0
    monkeypatch.setenv("PATH", str(tmp_path))
    capsys.readouterr()
    assert main(["hls", "synth", str(project)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and "vitis_hls" in said.err
    assert main(["hls", "synth", str(tmp_path)]) == 2
    assert "no HLS project" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 2)])
def test_synth_runs_the_tool_in_the_project(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: int
) -> None:
    project, tools = tmp_path / "moe", tmp_path / "bin"
    arguments = ["hls", "generate", "--package", str(package), "--layer", "block1.moe"]
    assert main([*arguments, "--out", str(project)]) == 0
    tools.mkdir()
    stub = tools / "vitis-run"
    stub.write_text(f'#!/bin/sh\necho "$PWD $*"\nexit {code}\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    assert main(["hls", "synth", str(project)]) == expected
    assert (project / "vitis.log").read_text() == f"{project} --mode hls --tcl synth.tcl\n"


def test_estimates_of_a_package_and_of_a_preset(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hls", "estimate", "--package", str(package), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["layer"] for row in rows] == ["block0.mlp", "block1.moe"]
    assert all("rtl_cycles" not in row["evidence"] for row in rows)
    assert all(row["cycles"] > row["rtl_model_cycles"] > 0 for row in rows)
    assert main(["hls", "estimate", "--model", "small-pascal", "--unroll", "2"]) == 0
    assert "all figures modelled" in capsys.readouterr().out


def test_estimates_as_records_of_equal_work(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["hls", "estimate", "--model", "small-pascal", "--unroll", "2"]
    assert main([*arguments, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert main([*arguments, "--records"]) == 0
    lines = capsys.readouterr().out.splitlines()
    kernels, ours = (ResultRecord.from_json(line) for line in lines)
    assert kernels.value("cycles") == sum(row["cycles"] for row in rows)
    assert ours.value("cycles") == sum(row["rtl_model_cycles"] for row in rows)
    for name in ("tokens", "macs"):
        assert kernels.value(name) == ours.value(name)
    # 12 blocks of 1025 tokens: six MLPs 384-1536-384, six mixtures of four experts and a gate.
    both = 2 * 1025 * 384 * 1536
    assert kernels.value("macs") == 12 * both + 6 * 1025 * 384 * 16


def test_counted_cycles_stand_beside_the_estimates(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, machine = model_preset("small-pascal"), machine_preset("zcu104")
    profile = written(tmp_path / "p.json", profile_of(config, machine, 500))
    arguments = ["hls", "estimate", "--model", "small-pascal", "--rtl", str(profile)]
    assert main([*arguments, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["evidence"]["rtl_cycles"] for row in rows} == {"rtl"}
    assert {row["evidence"]["rtl_model_cycles"] for row in rows} == {"modelled"}
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "RTL counted" in text.splitlines()[0] and str(rows[1]["rtl_cycles"]) in text
    assert main([*arguments, "--records"]) == 0
    lines = capsys.readouterr().out.splitlines()
    kernels, ours, counted = (ResultRecord.from_json(line) for line in lines)
    assert counted.device == "zcu104 RTL" and counted.package_digest == "d"
    assert counted.value("cycles") == sum(row["rtl_cycles"] for row in rows)
    assert counted.figures["cycles"].evidence is counted.figures["latency_ms"].evidence
    assert counted.figures["cycles"].evidence is Evidence.RTL
    assert {one.figures["cycles"].evidence for one in (kernels, ours)} == {Evidence.MODELLED}
    assert counted.value("latency_ms") == pytest.approx(counted.value("cycles") / 300e3)
    assert (
        len({(one.model, one.value("tokens"), one.value("macs")) for one in (ours, counted)}) == 1
    )


@pytest.mark.parametrize("source", ["package", "model"])
def test_a_profile_of_something_else_is_one_line(
    source: str, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, machine = model_preset("small-pascal"), machine_preset("zcu104")
    profile = written(tmp_path / "p.json", profile_of(config, machine))
    of = {"package": str(package), "model": "tiny-224"}[source]
    assert main(["hls", "estimate", f"--{source}", of, "--rtl", str(profile)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and "small-pascal" in said.err
    assert main(["hls", "table", "--rtl", str(profile)]) == 2
    assert "use it with --write" in capsys.readouterr().err


def test_ranges_and_tables(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "r.svg"
    assert main(["hls", "ranges", "--package", str(package), "--plot", str(picture)]) == 0
    assert "block1.moe  contribution  int18" in capsys.readouterr().out and picture.exists()
    assert main(["hls", "table", "--check"]) == 0
    assert main(["hls", "table", "--check", "--model", "nano-scenes"]) == 2
    assert main(["hls", "table"]) == 0
    assert "| latency at 300 MHz | ms |" in capsys.readouterr().out


@pytest.mark.parametrize("layer", ["block9.moe", "block0.gate", "nonsense"])
def test_unknown_layers_are_one_line(
    package: Path, tmp_path: Path, layer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["hls", "generate", "--package", str(package), "--layer", layer]
    assert main([*arguments, "--out", str(tmp_path / "p")]) == 2
    assert "layers are block0.mlp, block1.moe" in capsys.readouterr().err
