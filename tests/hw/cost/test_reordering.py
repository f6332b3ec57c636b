from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.cost.reordering import (
    cache_misses,
    cached_experts,
    compare_reordering,
    random_choices,
)
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.sizes import expert_bytes
from m3vit.hw.machine import MachineConfig, machine_preset
from m3vit.hw.presets import model_preset

ZCU104, MINI = machine_preset("zcu104"), machine_preset("mini")


@given(st.lists(st.integers(0, 6), max_size=80), st.integers(0, 4))
def test_a_use_misses_unless_among_the_last_fetched_ones(uses: list[int], capacity: int) -> None:
    fetched: list[int] = []
    for expert, missed in zip(uses, cache_misses(uses, capacity), strict=True):
        assert missed == (expert not in fetched[max(0, len(fetched) - capacity) :])
        fetched += [expert] * missed


@pytest.mark.parametrize(
    "machine, width, kept", [(ZCU104, 192, 7), (ZCU104, 384, 1), (ZCU104, 32, 15), (MINI, 192, 0)]
)
def test_the_ring_keeps_whole_experts(machine: MachineConfig, width: int, kept: int) -> None:
    config = replace(model_preset("tiny-cityscapes-k2"), width=width, heads=1, expert_ratio=1)
    assert cached_experts(config, machine) == kept


def test_small_refetches_its_experts_some_four_thousand_times_a_block() -> None:
    config = model_preset("small-pascal")
    both = compare_reordering(config, ZCU104)
    assert both.reordered.fetches == 6 * 16
    assert 6 * 3500 < both.token_by_token.fetches <= 6 * 1025 * 4
    size = expert_bytes(ZCU104, 384, 384)
    assert both.token_by_token.dram_bytes == both.token_by_token.fetches * size
    assert both.token_by_token.total_cycles > 100e6  # the study's closed form says some 150 M
    assert both.reordered.total_cycles < 11e6


def test_cycles_are_bound_by_memory_or_by_single_tokens() -> None:
    config = model_preset("tiny-cityscapes")
    both = compare_reordering(config, ZCU104)
    size = expert_bytes(ZCU104, 192, 192)
    load = both.token_by_token.fetches * size / (13.7e9 / 300e6)
    assert load < both.token_by_token.expert_cycles < 1.3 * load


def test_one_expert_for_all_is_fetched_once_either_way() -> None:
    config = model_preset("tiny-cityscapes-k2")
    choices = np.zeros((6, config.tokens, 2), np.int64)
    choices[..., 1] = 1
    both = compare_reordering(config, ZCU104, choices)
    assert both.reordered.fetches == both.token_by_token.fetches == 12
    assert both.token_by_token.expert_cycles > both.reordered.expert_cycles


def test_random_choices_are_distinct_and_seeded() -> None:
    config = model_preset("small-pascal")
    choices = random_choices(config, seed=3)
    assert (np.diff(choices, axis=-1) > 0).all()
    assert np.array_equal(choices, random_choices(config, seed=3))


def test_refuses_what_cannot_be_compared() -> None:
    config = model_preset("tiny-cityscapes")
    with pytest.raises(ConfigurationError, match="no experts"):
        compare_reordering(config.dense_twin(), ZCU104)
    with pytest.raises(ConfigurationError, match="shape"):
        compare_reordering(config, ZCU104, np.zeros((6, 5, 4), np.int64))
