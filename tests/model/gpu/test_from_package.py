"""A package gives back every integer of the model that it was compiled from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m3vit.hw.config import ModelConfig
from m3vit.hw.quantised_files import flatten
from m3vit.model.gpu.from_package import model_of
from tests.support.packages import MICRO, MICRO_DENSE, compiled


@pytest.mark.parametrize(
    "config",
    [
        MICRO,
        MICRO_DENSE,
        replace(MICRO, name="five-heads", width=160, heads=5, experts=3, expert_ratio=2),
    ],
    ids=lambda config: config.name,
)
def test_model_of_inverts_the_compiler(config: ModelConfig, tmp_path: Path) -> None:
    model, package = compiled(tmp_path / "package", config)
    expected, got = dict(flatten(model)), dict(flatten(model_of(package)))
    assert expected.keys() == got.keys()
    for name, values in expected.items():
        if name.endswith("scale") and ".gates." in name:
            continue  # of reports only, no machine needs it
        assert np.array_equal(got[name], values), name
