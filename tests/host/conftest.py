"""A small compiled package and a photograph, made once for all tests of the host."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from m3vit.hw.package import Package
from m3vit.hw.quantised import QuantisedModel
from tests.support.packages import compiled

Micro = tuple[QuantisedModel, Package]


@pytest.fixture(scope="session")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Micro:
    """The random micro model and its package for machine mini."""
    return compiled(tmp_path_factory.mktemp("micro") / "package")


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smooth picture of 90 x 50 pixels with some noise."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (5, 9, 3), dtype=np.uint8))
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    small.resize((90, 50), Image.Resampling.BICUBIC).save(path)
    return path
