from dataclasses import replace

import pytest

from m3vit.hw.cost.limits import exceeded_limits
from m3vit.hw.machine import machine_preset
from m3vit.hw.presets import model_preset

ZCU104, MINI = machine_preset("zcu104"), machine_preset("mini")


@pytest.mark.parametrize("preset", ["small-pascal", "small-nyud", "tiny-cityscapes-k2", "base-224"])
def test_the_target_models_fit(preset: str) -> None:
    assert exceeded_limits(model_preset(preset), ZCU104) == ()


def test_base_at_full_resolution_does_not() -> None:
    (sentence,) = exceeded_limits(model_preset("base-nyud"), ZCU104)
    assert sentence == (
        "bytes of tokens x width or hidden, in whole rows: 923136 needed, 524288 available"
    )


def test_the_small_machine_names_everything_that_is_too_large() -> None:
    sentences = " ".join(exceeded_limits(model_preset("small-pascal"), MINI))
    assert "tokens: 1025 needed, 256 available" in sentences
    assert "width: 384 needed, 192 available" in sentences
    assert exceeded_limits(model_preset("tiny-224"), MINI) == ()


def test_score_words_ring_and_experts() -> None:
    config = model_preset("tiny-cityscapes")
    narrow = replace(ZCU104, score_words=8, ring_bytes=8192, max_experts=8, max_top_k=2)
    sentences = exceeded_limits(config, narrow)
    assert len(sentences) == 4
    assert any(
        text.startswith("score words: one token pair needs more than half of the 8")
        for text in sentences
    )
    assert not any("expert" in text for text in exceeded_limits(config.dense_twin(), narrow))
