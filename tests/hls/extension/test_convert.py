from pathlib import Path
from typing import Any

import hls4ml
import numpy as np
import pytest
import torch

from m3vit.hls.extension import module_of, register
from m3vit.hls.extension.backend import NAME
from m3vit.hls.extension.layerwise import first_layer_difference
from m3vit.hls.from_package import gate_layer_of
from m3vit.hw.errors import ConfigurationError
from tests.hls.layers import random_layer, random_residual


def convert(model: torch.nn.Module, shape: tuple[int, int], path: Path, **others: Any) -> Any:
    register()
    config = hls4ml.utils.config_from_pytorch_model(
        model, shape, granularity="name", backend=NAME, channels_last_conversion="off"
    )
    return hls4ml.converters.convert_from_pytorch_model(
        model,
        output_dir=str(path),
        project_name="blocks",
        backend=NAME,
        hls_config=config,
        **others,
    )


def network(**layers: torch.nn.Module) -> torch.nn.Sequential:
    result = torch.nn.Sequential()
    for name, layer in layers.items():
        result.add_module(name, layer)
    return result


def predicts_golden(model: torch.nn.Sequential, images: np.ndarray, path: Path) -> None:
    converted = convert(model, images.shape[1:], path)
    converted.compile()
    wanted = model(torch.from_numpy(images)).numpy()
    for _ in range(2):  # nothing is left of the first pass
        assert np.array_equal(converted.predict(images).reshape(wanted.shape), wanted)


def test_a_mixture_predicts_the_golden_integers(tmp_path: Path) -> None:
    moe = random_layer()
    images = np.stack([random_residual(moe, seed) for seed in range(3)]).astype(np.float32)
    predicts_golden(network(moe=module_of(moe, task=1)), images, tmp_path / "p")


@pytest.mark.slow
def test_dense_and_mixture_blocks_layer_by_layer(tmp_path: Path) -> None:
    register()
    moe, mlp = random_layer(), random_layer(moe=False)
    images = np.stack([random_residual(moe, seed) for seed in range(3)]).astype(np.float32)
    model = network(mlp=module_of(mlp), moe=module_of(moe))
    config = hls4ml.utils.config_from_pytorch_model(
        model, (9, 32), "name", NAME, channels_last_conversion="off"
    )
    config["Model"]["TraceOutput"] = True
    for layer in ("mlp", "moe"):
        config["LayerName"][layer]["Trace"] = True
    converted = hls4ml.converters.convert_from_pytorch_model(
        model, str(tmp_path / "p"), backend=NAME, hls_config=config
    )
    converted.compile()
    predicted, traced = converted.trace(images)
    assert first_layer_difference(model, traced, torch.from_numpy(images)) is None
    wanted = model(torch.from_numpy(images)).numpy()
    assert np.array_equal(predicted.reshape(wanted.shape), wanted)


def test_the_first_layer_that_differs_is_named() -> None:
    moe, mlp = random_layer(), random_layer(moe=False)
    model = network(mlp=module_of(mlp), moe=module_of(moe))
    images = torch.from_numpy(np.stack([random_residual(moe, 0)]).astype(np.float32))
    inner = model.mlp(images)
    traced = {"mlp": inner.numpy().copy(), "moe": model(images).numpy().copy()}
    assert first_layer_difference(model, traced, images) is None
    traced["moe"][0, 4, 7] += 1
    said = first_layer_difference(model, traced, images)
    assert said is not None and said.startswith(
        "moe image 0: out differs first at token 4, channel 7"
    )
    traced["mlp"][0, 8, 31] -= 2
    said = first_layer_difference(model, traced, images)
    assert said is not None and said.startswith("mlp image 0: out differs first at token 8")


def test_projects_are_for_the_board_with_weights_over_axi(tmp_path: Path) -> None:
    moe, mlp = random_layer(), random_layer(moe=False)
    convert(network(mlp=module_of(mlp), moe=module_of(moe)), (9, 32), tmp_path / "p").write()
    top = (tmp_path / "p" / "firmware" / "blocks.cpp").read_text()
    assert "INTERFACE m_axi port=memory2 bundle=memory2" in top
    assert "INTERFACE m_axi port=memory3 bundle=memory3" in top and "bram" not in top
    assert "m3vit::mlp_layer<layer2_t, config2>(input_1, layer2_out, memory2);" in top
    assert "m3vit::moe_layer<result_t, config3>(layer2_out, layer3_out, memory3);" in top
    defines = (tmp_path / "p" / "firmware" / "defines.h").read_text()
    assert "typedef nnet::array<ap_int<18>, 32*1> input_t;" in defines
    project = (tmp_path / "p" / "project.tcl").read_text()
    assert 'set part "xczu7ev-ffvc1156-2-e"' in project and "set clock_period 3.33" in project


def test_parallelism_is_configured_a_layer(tmp_path: Path) -> None:
    register()
    model = network(moe=module_of(random_layer()))
    config = hls4ml.utils.config_from_pytorch_model(
        model, (9, 32), "name", NAME, channels_last_conversion="off"
    )
    config["LayerName"]["moe"] |= {"Unroll": 4, "Lanes": 2}
    hls4ml.converters.convert_from_pytorch_model(
        model, str(tmp_path / "p"), backend=NAME, hls_config=config
    ).write()
    text = (tmp_path / "p" / "firmware" / "parameters.h").read_text()
    assert "unroll = 4u" in text and "lanes = 2u" in text


def test_the_gate_converts_with_its_own_types(tmp_path: Path) -> None:
    gate = gate_layer_of(random_layer())
    converted = convert(network(gate=module_of(gate)), (9, 32), tmp_path / "p")
    converted.write()
    defines = (tmp_path / "p" / "firmware" / "defines.h").read_text()
    assert "typedef nnet::array<ap_int<8>, 32*1> input_t;" in defines
    assert "typedef nnet::array<ap_uint<16>, 4*1> result_t;" in defines


@pytest.mark.slow
def test_the_gate_predicts_the_golden_choices(tmp_path: Path) -> None:
    gate = gate_layer_of(random_layer())
    model = network(gate=module_of(gate, task=2))
    images = np.random.default_rng(0).integers(-128, 128, (3, 9, 32)).astype(np.float32)
    predicts_golden(model, images, tmp_path / "p")


def test_registering_changes_no_other_backend(tmp_path: Path) -> None:
    register()
    register()
    dense = network(fc=torch.nn.Linear(4, 3), act=torch.nn.ReLU())
    config = hls4ml.utils.config_from_pytorch_model(dense, (4,), backend="Vitis")
    converted = hls4ml.converters.convert_from_pytorch_model(
        dense, output_dir=str(tmp_path / "p"), backend="Vitis", hls_config=config
    )
    converted.write()
    assert not (tmp_path / "p" / "firmware" / "nnet_utils" / "moe.h").exists()
    assert "m_axi" not in (tmp_path / "p" / "firmware" / "myproject.cpp").read_text()


def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    moe = random_layer()
    with pytest.raises(ConfigurationError, match="task of 0 to 4"):
        module_of(moe, task=5)
    with pytest.raises(ConfigurationError, match=r"expected \[9, 32\]"):
        convert(network(moe=module_of(moe)), (9, 16), tmp_path / "p")
    with pytest.raises(ConfigurationError, match="io_stream"):
        convert(network(moe=module_of(moe)), (9, 32), tmp_path / "p", io_type="io_parallel")
