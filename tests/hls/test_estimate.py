from dataclasses import replace

import pytest

from m3vit.hls.estimate import estimate
from m3vit.hls.layer import Parallelism
from m3vit.hls.resources import bram18, resources, uram
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.layout.sizes import expert_bytes
from tests.hls.layers import random_layer


def test_products_bound_long_queues_and_more_of_them_are_faster() -> None:
    layer = replace(random_layer(machine="zcu104", width=384, experts=2, tokens=9), tokens=1000)
    slow = estimate(layer, [1000, 1000], Parallelism(unroll=1))
    fast = estimate(layer, [1000, 1000], Parallelism(unroll=2))
    assert slow.bound == "products"
    # 8 panels of 96 steps a token; the first load and the tails come on top
    assert 2000 * 8 * 96 < slow.experts < 1.05 * 2000 * 8 * 96
    assert fast.experts == pytest.approx(slow.experts / 2, rel=0.05)


def test_weights_bound_short_queues() -> None:
    layer = random_layer(machine="zcu104", width=384, experts=4, tokens=9)
    few = estimate(layer, [3, 5, 5, 5])
    assert few.bound == "weights"
    wide = estimate(layer, [3, 5, 5, 5], Parallelism(word_bytes=32))
    assert wide.experts < 0.75 * few.experts


def test_only_live_experts_are_read() -> None:
    layer = random_layer()
    one, all_four = estimate(layer, [0, 18, 0, 0]), estimate(layer, [5, 5, 4, 4])
    size = expert_bytes(layer.machine, layer.width, layer.hidden)
    assert all_four.weight_bytes - one.weight_bytes == 3 * size
    assert one.total == one.route + one.experts + one.result


def test_the_double_buffer_does_not_grow_with_experts() -> None:
    few, many = random_layer(experts=2), random_layer(experts=20)
    assert resources(few).expert_bytes == resources(many).expert_bytes
    assert resources(few).uram == resources(many).uram
    # without the records, which are registers
    assert resources(few).expert_bytes < 2 * expert_bytes(few.machine, few.width, few.hidden)


def test_memories_take_the_best_shape() -> None:
    assert bram18(32, 768) == 2 and bram18(36, 512) == 1 and bram18(18, 1025) == 2
    assert bram18(32, 64) == 0
    assert uram(72, 4096) == 1 and uram(73, 4097) == 4


def test_shapes_that_the_templates_lack_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="need panel 48 a multiple"):
        estimate(random_layer(), [5, 5, 4, 4], Parallelism(lanes=16, word_bytes=32))
    with pytest.raises(ConfigurationError, match="unroll is 3"):
        Parallelism(unroll=3)
