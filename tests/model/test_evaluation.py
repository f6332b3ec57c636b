"""Scores of networks whose predictions are known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from m3vit.hw.errors import ConfigurationError
from m3vit.hw.presets import model_preset
from m3vit.model.data.scenes import SceneDataset
from m3vit.model.evaluation import TaskScore, evaluate, require_scene_tasks, table
from m3vit.model.network import M3ViT
from tests.model.micro import micro_config


class Oracle(M3ViT):
    """Predicts the truth of scenes that are asked for in order, one task after the other."""

    def __init__(self, seeds: range) -> None:
        super().__init__(micro_config(image_height=64, image_width=96))
        self.scenes = SceneDataset(seeds, 64, 96)
        self.asked = 0

    def forward(self, images: Tensor, task: str, *rest: object) -> Tensor:
        names = self.config.task_names
        sample = self.scenes[self.asked // len(names)]
        self.asked += 1
        target = torch.from_numpy(np.asarray(sample.targets[task], np.float32))
        if task == "segmentation":
            return 9 * torch.eye(8)[target.long()].permute(2, 0, 1)[None]
        if task == "normals":
            return target.permute(2, 0, 1)[None]
        return target[None, None] if task == "depth" else 20 * target[None, None] - 10


def test_the_truth_scores_best_and_beats_constants() -> None:
    seeds = range(40, 46)
    scores = {score.task: score for score in evaluate(Oracle(seeds).eval(), seeds)}
    assert all(score.better for score in scores.values())
    # Of the eight classes, those that the six scenes lack count as 0 (the field's definition).
    assert scores["segmentation"].network > 60
    assert scores["depth"].network == pytest.approx(0, abs=1e-6)
    assert scores["normals"].network == pytest.approx(0, abs=1e-2)
    # The tolerance of small images is below a pixel, and thinning moves lines by one.
    assert scores["edges"].network > 85
    assert scores["saliency"].network == pytest.approx(100)


def test_a_network_that_ignores_the_image_is_no_better_than_a_constant() -> None:
    network = M3ViT(micro_config(image_height=64, image_width=96)).eval()
    with torch.no_grad():
        for head in network.decoders.values():
            head.conv_4.weight.zero_()
            head.conv_4.bias.zero_()
        network.decoders["normals"].conv_4.bias[2] = -1.0
    scores = {score.task: score for score in evaluate(network, range(40, 44))}
    assert not any(scores[task].better for task in ("segmentation", "depth", "normals", "edges"))


def test_table_and_json_say_the_same() -> None:
    score = TaskScore(
        task="depth", metric="RMSE", unit="m", lower_is_better=True, network=0.25, constant=1.5
    )
    assert score.to_dict()["better"] is True
    assert "depth         RMSE               0.250     1.500  m     lower" in table([score])


def test_tasks_without_ground_truth_are_named() -> None:
    with pytest.raises(ConfigurationError, match="because of human_parts: they have 8 classes"):
        require_scene_tasks(model_preset("tiny-pascal"))
    require_scene_tasks(model_preset("nano-scenes"))
