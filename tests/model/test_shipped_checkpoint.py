"""The checkpoint in the repository: small, complete, and better than constants on every task."""

import json
from pathlib import Path

import torch

import m3vit.model
from m3vit.hw.presets import model_preset
from m3vit.model.checkpoint import load_network
from m3vit.model.data.scenes import render_scene
from m3vit.model.evaluation import UNSEEN_SEED, evaluate
from m3vit.model.images import to_tensor

FOLDER = Path(m3vit.model.__path__[0]) / "checkpoints"
PATH = FOLDER / "nano-scenes.npz"


def test_it_is_small_and_fits_its_preset() -> None:
    assert PATH.stat().st_size <= 5_000_000
    assert load_network(PATH).config == model_preset("nano-scenes")


def test_every_task_beats_the_best_constant() -> None:
    scores = evaluate(load_network(PATH), range(UNSEEN_SEED, UNSEEN_SEED + 12))
    assert [score.task for score in scores if not score.better] == []


def test_every_expert_is_used_and_tasks_route_differently() -> None:
    network = load_network(PATH)
    pixels = torch.stack([to_tensor(render_scene(UNSEEN_SEED + i).image) for i in range(4)])
    routes: dict[str, dict[int, torch.Tensor]] = {}
    with torch.no_grad():
        for task in network.config.task_names:
            routes[task] = {}

            def note(name: str, block: int, value: torch.Tensor, expert: int | None) -> None:
                if name == "topk":
                    routes[task][block] = value  # noqa: B023 - called before the next task

            network.features(pixels, task, observe=note)
    for block in network.config.moe_blocks:
        for task in network.config.task_names:
            assert len(routes[task][block].unique()) == network.config.experts
        assert not torch.equal(routes["depth"][block], routes["edges"][block])


def test_the_log_belongs_to_it() -> None:
    entries = [json.loads(line) for line in (FOLDER / "nano-scenes.jsonl").open()]
    tasks = set(model_preset("nano-scenes").task_names)
    assert all(set(entry["losses"]) == tasks for entry in entries)
    first, last = entries[0]["losses"], entries[-1]["losses"]
    assert last["normals"] < 0.6 * first["normals"] and last["edges"] < 0.6 * first["edges"]
