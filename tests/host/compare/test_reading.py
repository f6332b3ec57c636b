"""Entries from files of records, estimates and benchmarks, and from the published table."""

import json
from pathlib import Path

import pytest

from m3vit.boards.board import load_board
from m3vit.host.cli import main
from m3vit.host.compare.entry import entry_of_record
from m3vit.host.compare.reading import (
    RECORDS,
    CompareError,
    committed,
    committed_routing,
    gather,
    read_entries,
    read_published,
)
from m3vit.host.compare.rows import one_row
from m3vit.hw.cost import estimate_cycles
from m3vit.hw.cost.macs import encoder_macs
from m3vit.hw.presets import MODELS
from m3vit.hw.records import Evidence, ResultRecord
from tests.host.compare.entries import estimate, record


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_records_keep_their_evidence(tmp_path: Path) -> None:
    (found,) = read_entries(written(tmp_path / "a.jsonl", record().to_json(), ""))
    assert found.machine == "cuda-int8" and found.task == "depth"
    assert found.workload.tokens == 129
    latency = found.values["latency_ms"]
    assert (latency.value, latency.evidence, latency.source) == (0.25, Evidence.MEASURED, "events")
    assert found.values["host_ms"].value == 3.0, "the phase run is the host's, not the machine's"
    assert "phases_ms" not in found.values


def test_estimates_are_modelled(tmp_path: Path) -> None:
    (found,) = read_entries(written(tmp_path / "a.jsonl", estimate()))
    assert {value.evidence for value in found.values.values()} == {Evidence.MODELLED}
    assert found.values["phases_ms"].value == {"qkv": 0.5, "mlp": 0.45}
    assert found.values["memory_bytes"].value == 282 * 4608 + 93 * 36864
    assert found.machine == "ours, zcu104, 300 MHz, INT8"


def test_an_estimate_that_does_not_fit_says_so(tmp_path: Path) -> None:
    line = estimate(exceeded_limits=["tokens: 9 needed, 8 available"])
    (found,) = read_entries(written(tmp_path / "a.jsonl", line))
    assert "DOES NOT FIT (tokens: 9 needed, 8 available)" in found.machine


def test_lines_beside_the_records_of_a_benchmark_are_passed_over(tmp_path: Path) -> None:
    lines = ['{"format": "m3vit-gpu-environment-1"}', '{"format": "m3vit-gpu-layer-1"}']
    assert len(read_entries(written(tmp_path / "a.jsonl", *lines, record().to_json()))) == 1
    with pytest.raises(CompareError, match="holds no record"):
        read_entries(written(tmp_path / "b.jsonl", *lines))


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "3", "{}", '{"format": "m3vit-record-1"}', '{"format": "other", "model": "x"}'],
)
def test_a_foreign_line_is_numbered(line: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", record().to_json(), line)
    with pytest.raises(CompareError, match="a.jsonl line 2: neither a record nor an estimate"):
        read_entries(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompareError, match="cannot read .*none.jsonl"):
        read_entries(tmp_path / "none.jsonl")


def test_published_figures_have_sources_and_the_work_of_our_presets() -> None:
    entries = read_published()
    machines = " ".join(entry.machine for entry in entries)
    assert all(name in machines for name in ("M³ViT", "Edge-MoE", "UbiMoE", "CoQMoE"))
    for entry in entries:
        assert entry.values and all(value.source for value in entry.values.values())
        assert {value.evidence for value in entry.values.values()} == {Evidence.PUBLISHED}
        work = entry.workload
        if work.tokens is not None:
            preset = MODELS[work.model]
            assert (work.tokens, work.macs) == (preset.tokens, encoder_macs(preset))


def test_published_entries_without_a_source_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text('[[entry]]\nmodel = "a"\nmachine = "b"\nlatency_ms = 1.0\n')
    with pytest.raises(CompareError, match="source"):
        read_published(path)


def test_committed_records_cover_the_published_workloads() -> None:
    models = {entry.workload.model for entry in committed()}
    assert {"small-pascal", "small-nyud", "tiny-cityscapes-k2", "tiny-cityscapes"} <= models
    assert len(committed_routing()) > 0
    assert len(gather([], published=True)) == len(committed()) + len(read_published())


def test_committed_estimates_are_what_the_presets_say() -> None:
    whole = [entry for entry in committed() if entry.workload.model in MODELS]
    for entry in whole:
        preset = MODELS[entry.workload.model]
        assert (entry.workload.tokens, entry.workload.macs) == (preset.tokens, encoder_macs(preset))
    parts = {entry.workload.model for entry in committed()} - set(MODELS)
    assert len(whole) > 10 and parts == {"m3vit-small", "small-pascal, MLPs and experts"}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("hls-small-pascal", ["hls", "estimate", "--model", "small-pascal", "--unroll", "2"]),
        ("near-memory-small", ["simulate", "--workload", "m3vit-small", "--batch", "197"]),
    ],
)
def test_committed_parts_are_what_their_commands_say_now(
    name: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the HLS layers those that are computed: what the RTL counted needs its run's profile."""
    tail = {"hls": ["--records"], "simulate": ["--machine", "monde", "--policy", "monde", "--json"]}
    assert main([*command, *tail[command[0]]]) == 0
    now = capsys.readouterr().out.splitlines()
    assert now and set(now) <= set((RECORDS / f"{name}.jsonl").read_text().splitlines()), (
        "stale: run `make results` and commit"
    )


def test_what_the_rtl_counted_stands_beside_the_kernels() -> None:
    """Its cycles need the run's profile, so nothing here says that they are today's."""
    lines = (RECORDS / "hls-small-pascal.jsonl").read_text().splitlines()
    kernels, model, counted = (ResultRecord.from_json(line) for line in lines)
    assert counted.device == "zcu104 RTL" and len(counted.package_digest) == 64
    assert counted.figures["cycles"].evidence is Evidence.RTL
    assert counted.value("cycles") == pytest.approx(model.value("cycles"), rel=0.1)
    one_row([entry_of_record(one) for one in (kernels, model, counted)])


def test_committed_estimates_are_those_of_the_cost_model_now() -> None:
    board = load_board("zcu104")
    found = read_entries(RECORDS / "estimate-zcu104.jsonl")
    for entry in (each for each in found if each.workload.tokens in (129, 1025)):
        cost = estimate_cycles(MODELS[entry.workload.model], board.machine(None))
        got = entry.number("latency_ms"), entry.number("dram_bytes")
        assert got == (cost.latency_ms, cost.dram_total), "stale: run `make results` and commit"


def test_given_records_replace_the_committed_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", json.dumps(record("mine").to_dict()))
    assert [entry.workload.model for entry in gather([path], published=False)] == ["mine"]
