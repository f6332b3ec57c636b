"""MLPs: chunks, classes per hidden unit, and GELU's zero point folded exactly."""

import numpy as np
import pytest

from m3vit.hw.golden.expert import hidden
from m3vit.hw.golden.linear import linear8, linear18
from m3vit.model.quantise.calibrate import calibrate
from m3vit.model.quantise.mlp import FloatExpert, choose_tables, chunks_of, quantise_mlp
from m3vit.model.quantise.ranges import ChannelRange
from m3vit.model.quantise.source import Source, make_source
from tests.model.quantise.networks import micro_config, rough_network, smooth_images


@pytest.fixture(scope="module")
def source() -> Source:
    network = rough_network(micro_config(), 3)
    return make_source(network, calibrate(network, smooth_images(network.config, 4)))


def test_chunks_cover_the_dense_layer_and_the_first_holds_the_bias(source: Source) -> None:
    chunks = chunks_of(source, 0)
    weight, bias = source.weights.linear("backbone.blocks.0.mlp.fc2")
    assert len(chunks) == 4
    np.testing.assert_array_equal(np.concatenate([c.fc2[0] for c in chunks], 1), weight)
    np.testing.assert_array_equal(chunks[0].fc2[1], bias)
    assert not any(chunk.fc2[1].any() for chunk in chunks[1:])


def test_zero_points_cancel_to_the_last_bit(source: Source) -> None:
    """Integers of a dense layer against the floats that the same tables and weights mean."""
    mlp = quantise_mlp(source, 0, np.ones(64))
    tables, kinds = choose_tables(chunks_of(source, 0))
    codes = np.random.default_rng(0).integers(-9, 10, (20, 64)).astype(np.int8)
    found, exact = 0, np.tile(source.weights["backbone.blocks.0.mlp.fc2.bias"], (20, 1))
    for chunk, kind in zip(mlp.experts, kinds, strict=True):
        g = hidden(codes, chunk, mlp.gelu)
        found = found + linear18(g, chunk.fc2)
        real = tables.out_scale[kind] * (g + tables.out_offset[kind])
        step = chunk.fc2.factor * 2.0**-chunk.fc2.shift * source.residual_unit
        exact = exact + real @ (chunk.fc2.weight * step[:, None] / tables.out_scale[kind]).T
    # Four contributions, each rounded once, and biases rounded at the accumulator.
    assert np.abs(found - exact / source.residual_unit).max() <= 4 * 0.5 + 0.1


def test_first_linear_places_zero_where_the_table_expects_it(source: Source) -> None:
    mlp = quantise_mlp(source, 0, np.full(64, 0.03))
    tables, kinds = choose_tables(chunks_of(source, 0))
    bias = source.weights["backbone.blocks.0.mlp.fc1.bias"].reshape(4, 64)
    for chunk, kind, real in zip(mlp.experts, kinds, bias, strict=True):
        codes = linear8(np.zeros((1, 64), np.int8), chunk.fc1)[0]
        meant = tables.in_scale[kind] * (codes + tables.in_offset[kind])
        assert np.abs(meant - real).max() <= 0.51 * tables.in_scale.max()


def test_experts_share_shifts_and_tables(source: Source) -> None:
    mlp = quantise_mlp(source, 1, np.ones(64))
    assert len({expert.fc1.shift for expert in mlp.experts}) == 1
    assert len({expert.fc2.shift for expert in mlp.experts}) == 1
    assert mlp.gelu.shape == (2, 256)
    assert {int(c) for expert in mlp.experts for c in expert.hidden_class} == {0, 1}


def test_units_seen_on_few_tokens_keep_the_wide_table() -> None:
    weights = (np.ones((4, 2)), np.zeros(4)), (np.ones((2, 4)), np.zeros(2))
    few = ChannelRange(low=-np.ones(4), high=np.full(4, 0.1), count=63)
    many = ChannelRange(low=-np.ones(4), high=np.array([0.1, 0.1, 0.1, 8.0]), count=64)
    experts = [FloatExpert(name="e", fc1=w[0], fc2=w[1], hidden=h) for w, h in
               ((weights, few), (weights, many), (weights, None))]  # fmt: skip
    _, kinds = choose_tables(experts)
    assert [kind.tolist() for kind in kinds] == [[0] * 4, [1, 1, 1, 0], [0] * 4]
