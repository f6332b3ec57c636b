"""Calibration keeps exact extremes, joins batches, and names what it lacks."""

import numpy as np
import pytest
import torch

from m3vit.hw.errors import QuantisationError
from m3vit.model.quantise.calibrate import calibrate
from m3vit.model.quantise.ranges import HEAD, Ranges
from tests.model.quantise.networks import micro_config, rough_network, smooth_images


def test_extremes_are_exact_over_batches() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((4, 3, 5))
    ranges = Ranges()
    for batch in values:
        ranges.observe("ln1", 2, torch.from_numpy(batch)[None], None)
    entry = ranges.get("ln1", 2)
    np.testing.assert_array_equal(entry.low, values.min((0, 1)))
    np.testing.assert_array_equal(entry.high, values.max((0, 1)))
    np.testing.assert_array_equal(entry.peak, np.abs(values).max((0, 1)))
    assert entry.count == 12


def test_feature_maps_are_kept_by_channel_and_task() -> None:
    ranges = Ranges()
    ranges.for_task(1)("head_2", HEAD, torch.arange(24.0).reshape(1, 2, 3, 4), None)
    assert ranges.get("head_2", HEAD, 1).high.tolist() == [11.0, 23.0]
    assert ranges.find("head_2", HEAD, 0) is None


def test_all_tensors_of_all_tasks_are_seen() -> None:
    config = micro_config()
    ranges = calibrate(rough_network(config), smooth_images(config, 3))
    for name in ("ln1", "q", "k", "v", "attention", "mid", "ln2", "out"):
        assert all(len(ranges.get(name, block).low) == 64 for block in range(4))
    assert len(ranges.get("hidden", 2).low) == 256
    counts = [ranges.find("expert_hidden", 1, expert) for expert in range(4)]
    assert sum(c.count for c in counts if c) == 3 * 2 * 17 * 2
    assert len(ranges.get("head_logits", HEAD, 0).low) == 5
    assert len(ranges.get("head_logits", HEAD, 1).low) == 1


def test_missing_tensor_is_named() -> None:
    with pytest.raises(QuantisationError, match="block 3 ln1"):
        Ranges().get("ln1", 3)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(QuantisationError, match="block 1 q .* not finite"):
        Ranges().add(("q", 1, 0), np.array([[1.0, np.nan]]))


def test_no_images_is_refused() -> None:
    with pytest.raises(QuantisationError, match="0 images"):
        calibrate(rough_network(micro_config()), [])
