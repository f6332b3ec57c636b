"""Linear layers: integers mean what the floats meant, within half a step of the weights."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import ACCUMULATOR_LIMIT
from m3vit.model.quantise.bounds import worst_sums
from m3vit.model.quantise.linear import affine, common_shift, integers, quantise_linear

seeds = st.integers(0, 2**32 - 1)


def random_layer(seed: int, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.exp(spread * rng.standard_normal((9, 1)))
    weight = rng.standard_normal((9, 40)) * rows * 0.1
    return weight, rng.standard_normal(9), np.exp(rng.standard_normal(9))


@given(seeds)
def test_effective_weights_are_within_half_a_step(seed: int) -> None:
    weight, bias, scale = random_layer(seed)
    layer = quantise_linear(affine("layer", weight, bias, scale))
    step = layer.factor * 2.0**-layer.shift * scale
    assert np.abs(layer.weight).max() <= 127
    assert np.abs(layer.weight * step[:, None] - weight).max(1) == pytest.approx(0, abs=step.max())
    assert (np.abs(layer.weight * step[:, None] - weight) <= step[:, None] * 0.5000001).all()
    assert (np.abs(layer.bias * step - bias) <= step * 0.5000001).all()


@given(seeds)
def test_steps_are_as_fine_as_the_shift_allows(seed: int) -> None:
    weight, bias, scale = random_layer(seed, spread=0.3)
    layer = quantise_linear(affine("layer", weight, bias, scale))
    wide = np.abs(weight).max(1) / 127 >= np.abs(bias) / (1 << 23)
    assert (np.abs(layer.weight).max(1)[wide] >= 126).all()
    assert layer.factor.max() > 32767


@given(seeds, st.floats(-300, 300))
def test_input_offset_is_exact_in_the_integer_weights(seed: int, offset: float) -> None:
    weight, bias, scale = random_layer(seed, spread=0.5)
    plain = affine("layer", weight, bias, scale)
    layer = quantise_linear(replace(plain, offset=np.full(40, offset)))
    without = quantise_linear(plain)
    codes = np.random.default_rng(seed).integers(-128, 128, 40)
    shifted = layer.weight.astype(float) @ codes + layer.bias
    direct = without.weight.astype(float) @ (codes + offset) + without.bias
    assert np.abs(shifted - direct).max() <= 1.0


def test_output_offset_through_the_bias_moves_codes_by_it() -> None:
    weight, bias, scale = random_layer(1, spread=0.5)
    plain = quantise_linear(affine("layer", weight, bias, scale))
    moved = quantise_linear(affine("layer", weight, bias - 5 * scale, scale))
    ratio = plain.factor * 2.0**-plain.shift
    assert (plain.bias - moved.bias) * ratio == pytest.approx(5, abs=0.01)


def test_zero_weights_and_zero_bias_work() -> None:
    weight, bias, scale = random_layer(2)
    weight[3], bias[3], weight[4] = 0, 0, 0
    layer = quantise_linear(affine("layer", weight, bias, scale))
    assert not layer.weight[3:5].any() and layer.bias[3] == 0
    step = layer.factor[4] * 2.0**-layer.shift * scale[4]
    assert layer.bias[4] * step == pytest.approx(bias[4], rel=1e-5)
    nothing = quantise_linear(affine("layer", weight * 0, bias * 0, scale))
    assert not nothing.weight.any() and 1 <= nothing.shift <= 40


def test_shared_shift_fits_all_layers() -> None:
    layers = [affine(str(n), *random_layer(n)) for n in range(4)]
    shift = common_shift(layers)
    built = [integers(layer, shift) for layer in layers]
    assert max(int(layer.factor.max()) for layer in built) > 32767
    assert {layer.shift for layer in built} == {shift}


def test_layer_too_strong_for_its_output_is_refused_by_name() -> None:
    weight, bias, scale = random_layer(5)
    with pytest.raises(QuantisationError, match="block 7 fc2 channel"):
        quantise_linear(affine("block 7 fc2", weight * 1e9, bias, scale))


def test_offset_beyond_the_accumulator_is_refused_by_name() -> None:
    weight, bias, scale = random_layer(6, spread=0.1)
    layer = replace(affine("block 2 key", np.abs(weight), bias, scale), offset=np.full(40, 1e6))
    with pytest.raises(QuantisationError, match=r"block 2 key channel \d: the accumulator"):
        quantise_linear(layer)


@given(seeds)
def test_worst_sums_are_reached_and_never_exceeded(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight, bias = rng.integers(-127, 128, (3, 20)).astype(float), rng.integers(-9, 9, 3) * 1.0
    worst = worst_sums(weight, bias, (-128, 127), 1.0)
    codes = rng.integers(-128, 128, (50, 20))
    assert (np.abs(codes @ weight.T + bias) <= worst).all()
    corners = [np.where(weight[0] > 0, a, b) for a, b in ((127, -128), (-128, 127))]
    assert max(abs(float(c @ weight[0] + bias[0])) for c in corners) == worst[0]
    assert worst.max() < ACCUMULATOR_LIMIT
