"""Bias correction lowers the error on unseen images and changes nothing but biases."""

import numpy as np
import pytest

from m3vit.hw.errors import QuantisationError
from m3vit.hw.evaluate import evaluate
from m3vit.hw.golden.linear import linear18
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.quantised_files import flatten
from m3vit.model.network import M3ViT
from m3vit.model.quantise.calibrate import calibrate
from m3vit.model.quantise.correction import correct_biases, lower
from m3vit.model.quantise.export import export
from m3vit.model.quantise.float_pass import run_float
from m3vit.model.quantise.targets import collect_targets, design_of
from tests.model.quantise.networks import micro_config, rough_network, smooth_images


def silent(text: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def network() -> M3ViT:
    return rough_network(micro_config(), 6)


@pytest.fixture(scope="module")
def plain(network: M3ViT) -> QuantisedModel:
    return export(network, calibrate(network, smooth_images(network.config, 12)))


@pytest.fixture(scope="module")
def corrected(network: M3ViT, plain: QuantisedModel) -> QuantisedModel:
    targets = collect_targets(network, smooth_images(network.config, 12))
    return correct_biases(plain, targets, silent)


def mean_error(network: M3ViT, model: QuantisedModel) -> tuple[float, float]:
    """Root mean square of the channels' mean errors, and of all errors, at the encoder's end."""
    errors = []
    for image in smooth_images(network.config, 6, seed=50):
        for number, task in enumerate(network.config.task_names):
            exact = run_float(network, image, task)
            found = evaluate(model, image, number, routes=exact.plans(network.config.experts))
            last = exact.residual["out", network.config.blocks - 1]
            errors.append(found.result * 2.0**-model.residual_fraction - last)
    both = np.concatenate(errors)
    return float(np.sqrt((both.mean(0) ** 2).mean())), float(np.sqrt((both**2).mean()))


def test_mean_errors_shrink_on_unseen_images(
    network: M3ViT, plain: QuantisedModel, corrected: QuantisedModel
) -> None:
    before, after = mean_error(network, plain), mean_error(network, corrected)
    assert after[0] < 0.7 * before[0]
    assert after[1] < before[1]


def test_only_biases_change(plain: QuantisedModel, corrected: QuantisedModel) -> None:
    before, after = dict(flatten(plain)), dict(flatten(corrected))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert all(name.endswith(".bias") for name in changed)
    assert not any("gates" in name or "fc1" in name or "query" in name for name in changed)


def test_lowered_layer_gives_lower_codes(plain: QuantisedModel) -> None:
    layer = plain.blocks[0].attention.proj
    codes = np.linspace(-40, 40, 64)
    x = np.random.default_rng(0).integers(-128, 128, (30, 64)).astype(np.int8)
    moved = linear18(x, layer).astype(int) - linear18(x, lower("proj", layer, codes))
    assert np.abs(moved.mean(0) - codes).max() <= 0.6


def test_correction_beyond_the_accumulator_is_refused(plain: QuantisedModel) -> None:
    with pytest.raises(QuantisationError, match="block 9 proj channel 0"):
        lower("block 9 proj", plain.blocks[0].attention.proj, np.eye(64)[0] * 1e9)


def test_design_holds_each_token_s_scores(network: M3ViT) -> None:
    image = smooth_images(network.config, 1)[0]
    exact = run_float(network, image, "depth")
    rows = design_of(exact.plans(4)[1], 17)
    assert ((rows > 0).sum(1) == 2).all()
    np.testing.assert_allclose(rows.sum(1), exact.routing["weights", 1].sum(1), atol=2e-5)
    np.testing.assert_array_equal(design_of(None, 3), np.ones((3, 1)))
