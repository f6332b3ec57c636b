"""Stochastic depth."""

import torch

from m3vit.model.network.drop_path import DropPath
from tests.model.micro import micro_config, rough


def test_samples_are_dropped_whole_and_the_mean_is_kept() -> None:
    torch.manual_seed(0)
    layer = DropPath(0.25).train()
    out = layer(torch.ones(4000, 3, 2))
    kept = out[:, 0, 0] != 0
    assert torch.equal(out != 0, kept[:, None, None].expand_as(out))
    torch.testing.assert_close(out[kept], torch.full_like(out[kept], 4 / 3))
    # 4000 draws: the share's standard deviation is 0.007.
    assert abs(float(kept.float().mean()) - 0.75) < 0.03


def test_identity_outside_training() -> None:
    x = torch.randn(5, 3)
    assert DropPath(0.9).eval()(x) is x


def test_rate_rises_with_depth() -> None:
    network = rough(micro_config())
    network.set_regularisation(0.3, 0.0)
    rates = [block.drop_path.rate for block in network.backbone.blocks]
    torch.testing.assert_close(torch.tensor(rates), torch.tensor([0.0, 0.1, 0.2, 0.3]))
