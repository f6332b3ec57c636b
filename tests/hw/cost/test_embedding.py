from dataclasses import replace

import pytest

from m3vit.hw.cost import estimate_cycles
from m3vit.hw.cost.embedding import image_shares
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import MODELS, model_preset

ZCU104 = machine_preset("zcu104")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_shares_cover_the_image_and_fit(name: str) -> None:
    config = model_preset(name)
    shares = image_shares(config, ZCU104)
    assert sum(shares) == config.tokens - 1
    assert max(shares) * config.patch_elements <= ZCU104.activation_bytes
    assert max(shares) - min(shares) < len(shares)


def test_each_share_streams_the_weights_again() -> None:
    config = model_preset("tiny-cityscapes")
    whole = estimate_cycles(config, ZCU104)
    halves = estimate_cycles(config, replace(ZCU104, activation_bytes=64 * 768))
    extra = halves.dram_bytes["weights"] - whole.dram_bytes["weights"]
    assert extra == 4 * (24 * 1536 + 384)  # four panels of 24 tiles with their records
    assert halves.dram_bytes["image"] == whole.dram_bytes["image"] == 128 * 768
    assert halves.total > whole.total
