"""An interrupted run ends where the uninterrupted one does, bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from m3vit.hw.config import GateKind
from m3vit.hw.errors import CheckpointError, ConfigurationError
from m3vit.model.checkpoint import load_checkpoint
from m3vit.model.train.distributed import Processes
from m3vit.model.train.loop import Trainer
from m3vit.model.train.meters import DivergedError
from m3vit.model.train.outputs import Outputs
from m3vit.model.train.settings import TrainSettings
from tests.model.micro import micro_config
from tests.model.train.sources import random_source

STEPS = 7


def trainer(folder: Path, gate: GateKind = GateKind.MULTI, **changes: Any) -> Trainer:
    config = micro_config(gate=gate, blocks=2)
    values = {"steps": STEPS, "batch": 3, "warmup": 2, "drop_path": 0.3, **changes}
    return Trainer(
        config,
        TrainSettings(**values),
        random_source(config),
        Outputs(folder=folder, save_every=2, log_every=2, quiet=True),
        torch.device("cpu"),
        Processes(),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimiser": "sgd", "learning_rate": 1e-2, "tasks_per_step": 2},
        {"precision": "bfloat16"},
        {"gate": GateKind.CONDITIONED},
    ],
)
def test_resumed_run_equals_the_uninterrupted_one(tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = trainer(tmp_path / "whole", **changes)
    whole.run()
    trainer(tmp_path / "parts", **changes).run(4)
    second = trainer(tmp_path / "parts", **changes)
    second.resume()
    assert second.step == 4
    second.run()
    for key, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[key]), key
    files = [load_checkpoint(tmp_path / name / "checkpoint.npz")[1] for name in ("whole", "parts")]
    assert all(torch.equal(value, files[1][key]) for key, value in files[0].items())


def test_a_run_may_start_from_a_checkpoint(tmp_path: Path) -> None:
    first = trainer(tmp_path / "first")
    first.run()
    state = load_checkpoint(first.outputs.checkpoint)[1]
    second = trainer(tmp_path / "second", seed=3)
    second.start_from(state)
    for key, value in second.average.values.items():
        assert torch.equal(value, state[key]) and torch.equal(value, first.average.values[key])
    second.run(1)
    key = "backbone.blocks.1.mlp.experts.htoh4.weight"
    moved = (second.network.state_dict()[key] - state[key]).abs().max()
    assert 0 < float(moved) < 0.01


def losses(folder: Path) -> list[tuple[int, dict[str, float]]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["losses"]) for line in lines]


def test_log_goes_on_without_repeats(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    first.run(4)
    # As after a crash: the log is ahead of the last saved state.
    with (tmp_path / "log.jsonl").open("a") as stream:
        stream.write(json.dumps({"step": 6, "losses": {"depth": -1.0}}) + "\n")
    second = trainer(tmp_path)
    second.resume()
    second.run()
    assert [step for step, _ in losses(tmp_path)] == [2, 4, 6, 7]
    assert all(value > 0 for _, entry in losses(tmp_path) for value in entry.values())


def test_other_seeds_and_settings_differ(tmp_path: Path) -> None:
    ends = []
    for number, changes in enumerate(({}, {"seed": 1}, {"gate_noise": 0.0})):
        run = trainer(tmp_path / str(number), **changes)
        run.run()
        ends.append(run.network.state_dict()["backbone.blocks.1.mlp.experts.htoh4.weight"])
    assert not torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])


def test_resuming_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run to resume"):
        trainer(tmp_path).resume()
    trainer(tmp_path).run(2)
    with pytest.raises(ConfigurationError, match="another setting: batch 3 is now 4"):
        trainer(tmp_path, batch=4).resume()
    with pytest.raises(ConfigurationError, match="another model: gate 'multi' is now 'single'"):
        trainer(tmp_path, gate=GateKind.SINGLE).resume()
    state = tmp_path / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="truncated"):
        trainer(tmp_path).resume()


def test_training_learns(tmp_path: Path) -> None:
    run = trainer(tmp_path, steps=30, tasks_per_step=5, drop_path=0.0, learning_rate=3e-3)
    run.run()
    entries = [entry for _, entry in losses(tmp_path)]
    assert all(entries[-1][task] < entries[0][task] for task in ("segmentation", "normals"))
    assert not list(tmp_path.glob(".*")), "nothing half written"


def test_divergence_is_named(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    with torch.no_grad():
        run.network.decoders["depth"].conv_4.bias.fill_(torch.nan)
    with pytest.raises(DivergedError, match="not finite at step .*lower the learning rate"):
        run.run()
