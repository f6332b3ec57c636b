from pathlib import Path

import numpy as np
import pytest

from m3vit.hls.from_package import gate_layer_of, layer_of, layers_of
from m3vit.hls.layer import HlsLayer
from m3vit.hls.package_csim import check_layer, recorded
from m3vit.hls.reference import expected
from m3vit.hw.errors import ConfigurationError
from m3vit.hw.package import Package
from m3vit.hw.quantised import QuantisedModel
from tests.support.packages import compiled


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[QuantisedModel, Package]:
    return compiled(tmp_path_factory.mktemp("p") / "package")


def test_layers_hold_the_models_integers(both: tuple[QuantisedModel, Package]) -> None:
    model, package = both
    layers = layers_of(package)
    assert [layer.name for layer in layers] == ["block0.mlp", "block1.moe"]
    for layer, block in zip(layers, model.blocks, strict=True):
        assert layer.norm is not None and layer.mlp is not None
        assert np.array_equal(layer.norm.gamma, block.norm2.gamma)
        for mine, theirs in zip(layer.mlp.experts, block.mlp.experts, strict=True):
            assert np.array_equal(mine.fc1.weight, theirs.fc1.weight)
            assert np.array_equal(mine.fc2.bias, theirs.fc2.bias)
            assert np.array_equal(mine.hidden_class, theirs.hidden_class)
        for mine_gate, their_gate in zip(layer.gates, block.gates, strict=True):
            assert np.array_equal(mine_gate.weight, their_gate.weight)
            assert (mine_gate.factor, mine_gate.shift) == (their_gate.factor, their_gate.shift)


def test_golden_gives_what_the_package_recorded(both: tuple[QuantisedModel, Package]) -> None:
    package = both[1]
    moe = layer_of(package, "block1.moe")
    for layer in (*layers_of(package), gate_layer_of(moe)):
        source, wanted = recorded(package.golden(), layer)
        got = expected(layer, source, 0)
        assert set(got.stages) == set(wanted.stages)
        for name, values in wanted.stages.items():
            assert np.array_equal(got[name], values), (layer.name, name)


def test_unknown_layers_are_refused(both: tuple[QuantisedModel, Package]) -> None:
    with pytest.raises(ConfigurationError, match=r"block0\.mlp, block1\.moe"):
        layer_of(both[1], "block7.moe")
    with pytest.raises(ConfigurationError, match="no gate"):
        gate_layer_of(layer_of(both[1], "block0.mlp"))


@pytest.mark.slow
def test_a_packages_mixture_in_simulation(
    both: tuple[QuantisedModel, Package], tmp_path: Path
) -> None:
    package = both[1]
    layer: HlsLayer = layer_of(package, "block1.moe")
    result = check_layer(layer, package.golden(), tmp_path)
    assert result.difference is None
    assert result.integers == 4 * 9 * (32 + 2 + 2 + 32)
