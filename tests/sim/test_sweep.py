"""Sweeps: every combination once, resumed where they stopped, over joblib and Dask."""

import json
import sys
from pathlib import Path

import pytest

from m3vit.host.cli import main
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.records import ResultRecord
from m3vit.sim.sweep import read_sweep, record_path, run_sweep

_TEXT = """
kind = "decode"
[fixed]
workload = "mixtral"
context = 512.0
[grid]
machine = ["gpu", "duplex"]
batch = [32, 64]
"""


def _file(tmp_path: Path, text: str = _TEXT) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_every_combination_once_and_resumed(tmp_path: Path) -> None:
    sweep, folder = read_sweep(_file(tmp_path)), tmp_path / "out"
    seen: list[tuple[int, int]] = []
    first = run_sweep(sweep, folder, progress=lambda *state: seen.append(state))
    assert seen == [(n, 4) for n in range(5)]
    assert [(r["settings"]["machine"], r["settings"]["batch"]) for r in first] == [
        (machine, batch) for machine in ("gpu", "duplex") for batch in (32, 64)
    ]
    lost = record_path(folder, "decode", sweep.cases[2])
    kept = record_path(folder, "decode", sweep.cases[0])
    lost.unlink()
    kept.write_text(kept.read_text().replace('"decode"', '"kept"'))
    seen.clear()
    again = run_sweep(sweep, folder, progress=lambda *state: seen.append(state))
    assert seen == [(3, 4), (4, 4)]
    assert again[0]["kind"] == "kept" and again[1:] == first[1:]


def test_workers_do_not_change_the_records(tmp_path: Path) -> None:
    sweep = read_sweep(_file(tmp_path))
    one = run_sweep(sweep, tmp_path / "one")
    two = run_sweep(sweep, tmp_path / "two", workers=2, backend="threading")
    assert one == two


@pytest.mark.parametrize(
    ("kind", "grid"),
    [
        ("dram", 'memory = ["hbm2-2000", "ddr4-2400"]\ntrace = ["random:500"]'),
        ("offload", 'policy = ["lru", "pre-gated"]\nrouting = ["zipf"]\npasses = [1]'),
    ],
)
def test_other_kinds_by_the_verb(tmp_path: Path, capsys, kind: str, grid: str) -> None:
    path = _file(tmp_path, f'kind = "{kind}"\n[grid]\n{grid}\n')
    assert main(["sweep", str(path), "--out", str(tmp_path / "out"), "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert len(records) == 2 and all(r["record"]["evidence"] == "simulated" for r in records)
    assert json.loads((tmp_path / "out.json").read_text()) == records
    lines = tmp_path / "out.jsonl"
    assert lines.exists() == (kind == "offload")
    if lines.exists():
        found = [ResultRecord.from_json(line) for line in lines.read_text().splitlines()]
        assert [record.device for record in found] == ["zcu104 lru", "zcu104 pre-gated"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_TEXT.replace('"decode"', '"guess"'), "known are decode, offload, dram"),
        (_TEXT.replace("[32, 64]", "32"), "must be a list"),
        (_TEXT.replace("[32, 64]", '["many"]'), "case"),
        (_TEXT.replace("context", "contents"), "unknown settings contents"),
        (_TEXT.replace('"gpu"', '"tpu"'), "unknown machine 'tpu'"),
        ("kind = [", "cannot be read"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, capsys, text: str, message: str) -> None:
    assert main(["sweep", str(_file(tmp_path, text)), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error


def test_missing_file_and_workers(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_sweep(tmp_path / "none.toml")
    assert main(["sweep", str(_file(tmp_path)), "--workers", "0"]) == 2


@pytest.mark.slow
def test_a_local_dask_cluster_of_two_workers(tmp_path: Path, capsys) -> None:
    distributed = pytest.importorskip("distributed")
    path = _file(tmp_path)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        out = str(tmp_path / "dask")
        address = cluster.scheduler_address
        assert main(["sweep", str(path), "--dask", address, "--out", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == run_sweep(read_sweep(path), tmp_path / "plain")
    assert main(["sweep", str(path), "--dask", "tcp://127.0.0.1:9", "--out", out]) == 2


@pytest.mark.slow
def test_a_local_ray_cluster_of_two_workers(tmp_path: Path, capsys) -> None:
    """Runs where Ray is installed; the project does not ask for it."""
    ray = pytest.importorskip("ray")
    path, out = _file(tmp_path), str(tmp_path / "ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        assert main(["sweep", str(path), "--ray", "local", "--out", out, "--json"]) == 0
    finally:
        ray.shutdown()
    assert json.loads(capsys.readouterr().out) == run_sweep(read_sweep(path), tmp_path / "plain")


def test_clusters_that_are_not_there(tmp_path: Path, capsys, monkeypatch) -> None:
    path, out = str(_file(tmp_path)), str(tmp_path / "out")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    for option, message in (("--ray", "pip install ray"), ("--dask", "m3vit[dask]")):
        assert main(["sweep", path, option, "127.0.0.1:9", "--out", out]) == 2
        assert message in capsys.readouterr().err
    assert main(["sweep", path, "--ray", "a", "--dask", "b", "--out", out]) == 2
    assert "not both" in capsys.readouterr().err
