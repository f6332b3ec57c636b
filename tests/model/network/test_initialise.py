"""Starting values."""

import torch

from m3vit.model.network import M3ViT
from m3vit.model.network.initialise import position_table
from tests.model.micro import micro_config


def test_positions_are_distinct_and_bounded() -> None:
    config = micro_config(image_height=128, image_width=256)
    table = position_table(config)[0]
    assert table.shape == (config.tokens, config.width)
    assert torch.equal(table[0], torch.zeros(config.width))
    assert float(table.abs().max()) <= 1
    distances = torch.cdist(table, table) + 9 * torch.eye(len(table))
    assert float(distances.min()) > 0.5


def test_experts_start_apart_and_without_bias() -> None:
    state = M3ViT(micro_config()).state_dict()
    weight = state["backbone.blocks.1.mlp.experts.htoh4.weight"]
    assert not torch.equal(weight[0], weight[1])
    assert float(weight.abs().max()) <= (6 / 64) ** 0.5
    assert not state["backbone.blocks.1.mlp.experts.h4toh.bias"].any()


def test_initial_values_follow_the_seed() -> None:
    values = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        values.append(M3ViT(micro_config()).state_dict()["decoders.depth.conv_0.weight"])
    assert torch.equal(values[0], values[1]) and not torch.equal(values[0], values[2])
