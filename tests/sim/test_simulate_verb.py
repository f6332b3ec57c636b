"""``m3vit simulate`` as a user meets it."""

import json

import numpy as np
import pytest

from m3vit.host.cli import main
from m3vit.hw.records import Evidence, ResultRecord
from m3vit.hw.routing import RoutingPlan
from m3vit.hw.routing_trace import TracedPlan, save_trace
from m3vit.sim.system.shapes import find_shape


def _record(capsys, *arguments: str) -> dict:
    assert main(["simulate", *arguments, "--details"]) == 0
    return json.loads(capsys.readouterr().out)


def _lines(capsys, *arguments: str) -> list[ResultRecord]:
    assert main(["simulate", *arguments, "--json"]) == 0
    return [ResultRecord.from_json(line) for line in capsys.readouterr().out.splitlines()]


def test_decoding_systems_are_ordered(capsys) -> None:
    batch = ("--workload", "mixtral", "--batch", "64")
    steps = [
        _record(capsys, "--machine", name, *batch)["step_ms"]
        for name in ("gpu", "bank-pim", "duplex", "duplex-pe-et")
    ]
    assert steps == sorted(steps, reverse=True)


def test_loading_system_and_its_policies(capsys) -> None:
    common = ("--machine", "a100-offload", "--workload", "switch-base-128", "--batch", "1")
    early = _record(capsys, *common, "--policy", "pre-gated", "--passes", "3")
    late = _record(capsys, *common, "--policy", "on-demand", "--passes", "3")
    assert early["block_us"] < late["block_us"] and late["over_bound"] >= 1
    assert early["evidence"] == "simulated" and early["routing"] == "uniform"


def test_json_is_one_record_a_line(capsys) -> None:
    """Every figure is simulated; a step's weights cross the memory once, its experts top_k times
    the batch in work."""
    common = ("--machine", "gpu", "--workload", "mixtral", "--batch", "32")
    (record,) = _lines(capsys, *common)
    shape = find_shape("mixtral")
    assert {entry.evidence for entry in record.figures.values()} == {Evidence.SIMULATED}
    assert record.value("experts_used") == [8] * 32 and record.value("tokens") == 32
    experts = 8 * 32 * shape.expert_bytes
    assert experts < record.value("dram_bytes") < 1.2 * experts
    assert record.value("macs") > 32 * 2 * 32 * shape.expert_elements
    assert record.value("latency_ms") == pytest.approx(sum(record.value("phases_ms").values()))


def test_json_has_a_record_for_each_task(capsys) -> None:
    arguments = ("--machine", "zcu104", "--workload", "m3vit-small", "--batch", "197")
    records = _lines(capsys, *arguments, "--tasks", "2", "--passes", "4", "--policy", "m3vit")
    details = _record(capsys, *arguments, "--tasks", "2", "--passes", "4", "--policy", "m3vit")
    assert [record.task for record in records] == ["task0", "task1"]
    assert sum(2 * r.value("latency_ms") for r in records) == pytest.approx(details["total_ms"])
    shape = find_shape("m3vit-small")
    for record in records:
        assert record.value("macs") == 6 * 197 * 4 * shape.expert_elements
        assert record.value("dram_bytes") == 6 * 16 * shape.expert_bytes
        assert record.value("experts_used") == [16] * 6 and record.value("tokens") == 197


def test_recorded_trace(tmp_path, capsys) -> None:
    generator = np.random.default_rng(3)
    entries = []
    for block in range(6):
        chosen = np.argsort(generator.random((50, 16)), axis=1)[:, :4]
        plan = RoutingPlan.from_choices(chosen, np.full((50, 4), 9), experts=16)
        entries.append(TracedPlan(task="depth", image="a", block=block, plan=plan))
    path = str(save_trace(tmp_path / "routing.npz", entries))
    record = _record(
        capsys,
        "--machine",
        "zcu104",
        "--workload",
        "m3vit-small",
        "--trace",
        path,
        "--policy",
        "m3vit",
    )
    assert record["steps"] == 6 and record["loads"] == sum(
        e.plan.counts.astype(bool).sum() for e in entries
    )
    assert main(["simulate", "--machine", "zcu104", "--workload", "mixtral", "--trace", path]) == 2
    assert "16] experts a block, mixtral has 8" in capsys.readouterr().err


def test_text(capsys) -> None:
    assert main(["simulate"]) == 0
    assert "duplex, mixtral (simulated): decode only" in capsys.readouterr().out
    assert main(["simulate", "--machine", "monde", "--workload", "nllb-moe", "--passes", "1"]) == 0
    assert "x the bound" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--machine", "tpu"], "known are gpu, 2xgpu, duplex"),
        (["--workload", "opt"], "known are mixtral"),
        (["--workload", "nllb-moe"], "--devices"),
        (["--batch", "0"], "must be positive"),
        (["--context", "-5"], "must be positive"),
        (["--machine", "monde", "--workload", "glam", "--policy", "x"], "known are on-demand"),
        (["--machine", "a100-offload", "--workload", "glam", "--policy", "monde"], "near-memory"),
        (["--machine", "monde", "--workload", "glam", "--routing", "x"], "known are uniform"),
        (["--machine", "monde", "--workload", "glam", "--slots", "0"], "2 or more"),
        (["--machine", "monde", "--workload", "glam", "--trace", "no.npz"], "no.npz"),
    ],
)
def test_mistakes_are_one_line_and_exit_two(capsys, arguments, message) -> None:
    assert main(["simulate", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
